"""What a grant says, literally. The token's own format is tested where it lives."""

import pytest

from billing.domain.grants import Sale, grant_for
from tests.billing.buying import person, quote_for

BUYER, PAYEE = person("buyer"), person("payee")
AT_S = 1_800_000_000
SALE = Sale("ab" * 32, BUYER.address, BUYER.key, AT_S, {"tx": "cd" * 32})
ISSUER = "https://gw.example"
YEAR_S = 31_536_000


def claims(**changes: object) -> dict[str, object]:
    return grant_for(quote_for(PAYEE.address, **changes), SALE, issuer=ISSUER).claims()


def test_grant_begins_when_it_was_paid_and_lasts_as_sold() -> None:
    said = claims(access_seconds=3600)
    assert (said["iat"], said["nbf"], said["exp"]) == (AT_S, AT_S, AT_S + 3600)
    assert "access_seconds" not in said


def test_grant_that_starts_with_its_first_use_ends_after_the_last_moment_to_start() -> None:
    said = claims(access_seconds=3600, starts="first_use")
    assert (said["nbf"], said["exp"]) == (AT_S, AT_S + YEAR_S + 3600)
    assert said["access_seconds"] == 3600


def test_grant_names_purchase_buyer_quote_payment_and_key() -> None:
    quote = quote_for(PAYEE.address)
    said = grant_for(quote, SALE, issuer=ISSUER).claims()
    assert said["jti"] == "ab" * 32
    assert said["sub"] == BUYER.address
    assert said["iss"] == said["aud"] == ISSUER
    assert said["quote"] == quote.digest
    assert said["pay"] == {"tx": "cd" * 32}
    assert said["cnf"] is not None


@pytest.mark.parametrize("charge", ["success", "always"])
def test_grant_states_all_that_was_sold(charge: str) -> None:
    limits = ({"kind": "calls", "count": 7, "window_seconds": 60},)
    said = claims(charge=charge, adjustable=True, limits=limits)
    assert (said["charge"], said["adjustable"]) == (charge, True)
    assert said["limits"] == [{"kind": "calls", "count": 7, "window_seconds": 60}]


def test_same_sale_makes_the_same_grant() -> None:
    quote = quote_for(PAYEE.address)
    assert grant_for(quote, SALE, issuer=ISSUER) == grant_for(quote, SALE, issuer=ISSUER)
