from dataclasses import replace

import pytest
from apicharge_client import Budget, quotes
from apicharge_client.documents import Document
from apicharge_client.errors import BadDocument, NotAffordable, NotTrusted
from apicharge_client.pins import Pin

from tests.client.instructions import CONTRACT, ISSUER, PASSPHRASE, SIGNER, STRANGER, signed_quote
from tests.vectors.contract import KNOWN, SOLD

PIN = Pin(bytes(SIGNER.verify_key).hex(), CONTRACT, PASSPHRASE, {"USDC": ISSUER})


def parsed(quote: dict[str, object]) -> quotes.Quote:
    return quotes.parse(Document(quote, "quote"))


@pytest.mark.parametrize("vector", SOLD, ids=lambda vector: vector["label"])
def test_vector_verifies_as_the_marketplace_signs_it(vector: dict[str, dict[str, object]]) -> None:
    issuers = {code: KNOWN["accounts"][f"issuer {code}"] for code in ("USDC", "EURC")}
    pin = Pin(KNOWN["signer"], KNOWN["contract"], KNOWN["passphrase"], issuers)
    quote = parsed(vector["quote"])
    quotes.verify(quote, pin)
    assert quote.scval().to_xdr_bytes().hex() == vector["quote_xdr"]


@pytest.mark.parametrize(
    "changes",
    [
        {"route": "weather/other"},
        {"payee": STRANGER},
        {"treasury": STRANGER},
        {"fee": "0"},
        {"access_seconds": 3601},
        {"starts": "first_use"},
        {"charge": "always"},
        {"adjustable": True},
        {"meter": {}},
        {"limits": []},
        {"limits": [{"kind": "calls", "count": 4, "window_seconds": None}]},
        {"expires_at": 4_000_000_001},
        {"terms": "00" * 32},
        {"digest": "00" * 32},
        {"signature": "00" * 64},
        {"price": {"amount": "2500001"}},
        {"price": {"asset": "EURC"}},
        {"price": {"sac": CONTRACT}},
    ],
)
def test_changed_quote_is_not_trusted(changes: dict[str, object]) -> None:
    quote = signed_quote()
    if "price" in changes:
        changes = {"price": {**quote["price"], **changes["price"]}}
    with pytest.raises(NotTrusted):
        quotes.verify(parsed(quote | changes), PIN)


@pytest.mark.parametrize(
    "pin",
    [
        replace(PIN, signer="11" * 32),
        replace(PIN, passphrase="another network"),
        replace(PIN, contract="CAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABSC4"),
        replace(PIN, assets={}),
        replace(PIN, assets={"USDC": STRANGER}),
    ],
)
def test_quote_is_for_its_pin_alone(pin: Pin) -> None:
    with pytest.raises(NotTrusted):
        quotes.verify(parsed(signed_quote()), pin)


@pytest.mark.parametrize(
    "changes",
    [
        {"digest": "AB" * 32},
        {"digest": 5},
        {"price": {"amount": 2_500_000}},
        {"price": {"amount": "1e6"}},
        {"price": {"amount": "-1"}},
        {"price": {"amount": "0x10"}},
        {"fee": "2500001"},
        {"payee": CONTRACT},
        {"treasury": "G"},
        {"access_seconds": "3600"},
        {"access_seconds": True},
        {"expires_at": 1.5},
        {"starts": "never"},
        {"signature": ""},
    ],
)
def test_malformed_quote_is_refused(changes: dict[str, object]) -> None:
    quote = signed_quote()
    if "price" in changes:
        changes = {"price": {**quote["price"], **changes["price"]}}
    with pytest.raises(BadDocument):
        parsed(quote | changes)


def test_quote_about_to_expire_is_not_chosen() -> None:
    offer = parsed(signed_quote(expires_at=1_000))
    with pytest.raises(NotAffordable, match="about to expire"):
        quotes.choose([offer], Budget.of("USDC:1"), now_s=941)
    assert quotes.choose([offer], Budget.of("USDC:1"), now_s=940) == offer
