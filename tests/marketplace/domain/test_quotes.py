import copy
import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.domain import chains, quotes
from marketplace.domain.quotes import Quote, QuoteError, SignedQuote
from tests.vectors.contract import KNOWN, SOLD

SIGNER = bytes.fromhex(KNOWN["signer"])
SEED = bytes.fromhex(KNOWN["seed"])
CHAIN = chains.sandbox()
OTHER = "GBBD47IF6LWK7P7MDEVSCWR7DPUWV3NY3DTQEVFL4NAT4AQH3ZLLFLA5"


@pytest.mark.parametrize("vector", SOLD, ids=lambda vector: vector["label"])
def test_vector_is_read_written_and_verified(vector: dict[str, Any]) -> None:
    quote = quotes.from_json(vector["quote"])
    assert quotes.quote_scval(quote).to_xdr_bytes().hex() == vector["quote_xdr"]
    assert quotes.terms_digest(quote).hex() == vector["quote"]["terms"]
    assert quotes.digest(CHAIN, quote).hex() == vector["quote"]["digest"]
    quotes.verify(quote, [SIGNER], CHAIN)
    assert quote.to_json() == vector["quote"]


@pytest.mark.parametrize("vector", SOLD, ids=lambda vector: vector["label"])
def test_vector_is_signed_to_the_same_bytes(vector: dict[str, Any]) -> None:
    quote = quotes.from_json(vector["quote"])
    assert quotes.sign(unsigned(quote), CHAIN, SEED) == quote


def unsigned(quote: SignedQuote) -> Quote:
    names = [field.name for field in dataclasses.fields(Quote)]
    return Quote(**{name: getattr(quote, name) for name in names})


PLAIN = SOLD[0]["quote"]
WIDE = SOLD[1]["quote"]
CHANGES: list[tuple[str, Any]] = [
    ("route", "weather/history"),
    ("price.amount", "2499999"),
    ("price.asset", "EURC"),
    ("price.issuer", OTHER),
    ("price.issuer", PLAIN["price"]["sac"]),
    ("price.sac", WIDE["price"]["sac"]),
    ("payee", OTHER),
    ("fee", "1"),
    ("treasury", OTHER),
    ("access_seconds", 3601),
    ("starts", "first_use"),
    ("charge", "always"),
    ("adjustable", True),
    ("meter", {"kind": "openai"}),
    ("limits", []),
    ("limits", [{"kind": "calls", "count": 1001, "window_seconds": None}]),
    ("terms", "00" * 32),
    ("digest", "00" * 32),
    ("expires_at", 1_790_000_001),
    ("signature", "00" * 64),
    ("signature", WIDE["signature"]),
]


def changed(field: str, value: object) -> dict[str, Any]:
    document = copy.deepcopy(PLAIN)
    if field.startswith("price."):
        document["price"][field.removeprefix("price.")] = value
    else:
        document[field] = value
    return document


@pytest.mark.parametrize(("field", "value"), CHANGES)
def test_any_changed_field_breaks_the_signature(field: str, value: object) -> None:
    quote = quotes.from_json(changed(field, value))
    with pytest.raises(QuoteError):
        quotes.verify(quote, [SIGNER], CHAIN)


def test_quote_of_another_signer_or_chain_is_refused() -> None:
    quote = quotes.from_json(PLAIN)
    with pytest.raises(QuoteError, match="signature"):
        quotes.verify(quote, [bytes(32)], CHAIN)
    with pytest.raises(QuoteError, match="price"):
        quotes.verify(quote, [SIGNER], chains.chain("testnet", CHAIN.contract))
    moved = dataclasses.replace(CHAIN, passphrase="Standalone Network ; February 2017")
    with pytest.raises(QuoteError, match="digest"):
        quotes.verify(quote, [SIGNER], moved)


BAD: list[tuple[str, Any]] = [
    ("route", "weather"),
    ("route", "Weather/forecast"),
    ("route", "a/" + "b" * 127),
    ("name", ""),
    ("name", 5),
    ("price", None),
    ("price.amount", 2500000),
    ("price.amount", "2.5"),
    ("price.amount", "-1"),
    ("price.amount", "01"),
    ("price.amount", "1e7"),
    ("price.amount", "\u0662"),
    ("price.amount", str(2**63)),
    ("price.asset", "USDCUSDCUSDCX"),
    ("price.issuer", KNOWN["contract"]),
    ("price.sac", PLAIN["payee"]),
    ("payee", PLAIN["payee"][:-1] + "A"),
    ("payee", "M" + PLAIN["payee"][1:]),
    ("fee", "2500001"),
    ("fee", None),
    ("treasury", ""),
    ("access_seconds", 0),
    ("access_seconds", 3600.0),
    ("access_seconds", True),
    ("access_seconds", 2**53),
    ("access_seconds", "3600"),
    ("starts", "later"),
    ("starts", ["purchase"]),
    ("charge", None),
    ("adjustable", 0),
    ("meter", []),
    ("limits", None),
    ("limits", {"kind": "calls"}),
    ("limits", ["calls"]),
    ("limits", [{}] * 17),
    ("terms", "00" * 31),
    ("terms", "AA" * 32),
    ("digest", 7),
    ("expires_at", -1),
    ("signature", PLAIN["signature"] + "\n"),
]


@pytest.mark.parametrize(("field", "value"), BAD)
def test_malformed_quote_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(QuoteError, match=f"^{field.removeprefix('price.')}"):
        quotes.from_json(changed(field, value))


@pytest.mark.parametrize("missing", [name for name in PLAIN if name != "meter"])
def test_missing_field_is_refused(missing: str) -> None:
    document = {name: value for name, value in PLAIN.items() if name != missing}
    with pytest.raises(QuoteError, match=missing):
        quotes.from_json(document)


@pytest.mark.parametrize("document", [None, [], "quote", 1, {}])
def test_what_is_no_object_is_refused(document: object) -> None:
    with pytest.raises(QuoteError):
        quotes.from_json(document)


@pytest.mark.parametrize("count", [2**53, 0.5, float("nan")])
def test_terms_without_one_canonical_form_are_refused(count: float) -> None:
    odd = changed("limits", [{"kind": "calls", "count": count}])
    with pytest.raises(QuoteError):
        quotes.verify(quotes.from_json(odd), [SIGNER], CHAIN)


integers = st.integers(1, 2**53 - 1)
amounts = st.integers(0, 2**63 - 1)


@given(amounts, integers, integers, st.sampled_from(["USDC", "EURC"]), st.booleans())
def test_signed_quote_survives_the_wire_and_verifies(
    amount: int, access_seconds: int, expires_at: int, code: str, adjustable: bool
) -> None:
    asset = CHAIN.assets[code]
    quote = dataclasses.replace(
        unsigned(quotes.from_json(PLAIN)),
        amount=amount,
        fee=amount // 20,
        asset=code,
        asset_issuer=asset.issuer,
        sac=asset.sac,
        access_seconds=access_seconds,
        expires_at=expires_at,
        adjustable=adjustable,
    )
    signed = quotes.sign(quote, CHAIN, SEED)
    received = quotes.from_json(json.loads(json.dumps(signed.to_json())))
    assert received == signed
    quotes.verify(received, [SIGNER], CHAIN)


@given(st.dictionaries(st.sampled_from(list(PLAIN)), st.none() | st.text() | st.integers()))
def test_no_input_raises_anything_but_a_quote_error(changes: dict[str, Any]) -> None:
    try:
        quote = quotes.from_json(PLAIN | changes)
        quotes.verify(quote, [SIGNER], CHAIN)
    except QuoteError:
        return
    assert quote.digest == PLAIN["digest"]
