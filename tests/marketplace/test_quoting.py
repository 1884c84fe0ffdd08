import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from marketplace import pricing, quoting
from marketplace.domain import chains, quotes
from marketplace.models import Provider, Quote, Service
from tests.marketplace import shop

pytestmark = pytest.mark.django_db


def signatures(now_s: float, route: str | None = None) -> list[str]:
    document = quoting.listed("", now_s) if route is None else quoting.document(route, now_s)
    assert isinstance(document["quotes"], list)
    return [quotes.from_json(quote).signature for quote in document["quotes"]]


def test_document_names_issuer_chain_and_signer() -> None:
    shop.stall()
    document = quoting.listed("", shop.NOW_S)
    assert {name: document[name] for name in document if name != "quotes"} == {
        "issuer": "http://127.0.0.1:8000",
        "network": "sandbox",
        "passphrase": "Test SDF Network ; September 2015",
        "contract": "CBIGZMWIYL5Q4YCSXEZWTUDSESA5A5ECMYEDX6G5LFGFJSPJPT4UIU2O",
        "signer": quoting.signer_public_key().hex(),
    }


def test_quote_says_what_the_version_says_and_verifies() -> None:
    price = shop.stall()
    quote = quoting.signed(price, shop.NOW_S)
    quotes.verify(quote, [quoting.signer_public_key()], chains.sandbox())
    assert (quote.route, quote.name, quote.amount) == ("weather/forecast", "Hour pass", 2_500_000)
    assert quote.payee == quote.treasury == shop.account("Alba")
    assert quote.limits == ({"kind": "calls", "count": 1000, "window_seconds": None},)


def test_quote_is_signed_once_a_slot_and_lives_ten_minutes_at_least() -> None:
    price = shop.stall()
    slot = shop.NOW_S // 300 * 300
    first = quoting.signed(price, slot)
    assert quoting.signed(price, slot + 299.9) == first
    assert first.expires_at - (slot + 299.9) >= 600
    assert quoting.signed(price, slot + 300).digest != first.digest
    assert Quote.objects.count() == 2


def test_quote_is_found_by_its_digest_for_good() -> None:
    price = shop.stall()
    quote = quoting.signed(price, shop.NOW_S)
    pricing.retire(price, shop.NOW)
    assert quoting.find(quote.digest) == quote
    assert quoting.find("00" * 32) is None
    assert quoting.find("\0") is None


def test_new_payout_address_is_quoted_at_once_and_the_old_quote_stays() -> None:
    old = quoting.signed(shop.stall(), shop.NOW_S)
    Provider.objects.update(payout_address=shop.account("new"))
    [new] = quoting.sign_all(quoting.on_sale("weather/forecast"), shop.NOW_S)
    assert (old.payee, new.payee) == (shop.account("Alba"), shop.account("new"))
    assert quoting.find(old.digest) == old


def test_only_what_is_on_sale_is_quoted() -> None:
    price = shop.stall()
    assert len(signatures(shop.NOW_S, "weather/forecast")) == 1
    Service.objects.update(state="withdrawn")
    assert signatures(shop.NOW_S, "weather/forecast") == []
    Service.objects.update(state="draft")
    with pytest.raises(quoting.UnknownRoute):
        quoting.document("weather/forecast", shop.NOW_S)
    pricing.retire(price, shop.NOW)
    price.refresh_from_db()
    with pytest.raises(ValueError, match="on sale"):
        quoting.signed(price, shop.NOW_S)


@pytest.mark.parametrize("route", ["", "weather", "weather/", "weather/x", "a/b/c", "%00"])
def test_unknown_route_is_not_quoted(route: str) -> None:
    shop.stall()
    with pytest.raises(quoting.UnknownRoute):
        quoting.document(route, shop.NOW_S)


def test_process_without_the_key_quotes_nothing(settings: Settings) -> None:
    price = shop.stall()
    settings.QUOTE_KEY_SEED = None
    with pytest.raises(quoting.NoQuoteKey):
        quoting.signed(price, shop.NOW_S)
    assert Quote.objects.count() == 0


def test_queries_do_not_grow_with_the_catalogue() -> None:
    owner = shop.provider()
    for number in range(6):
        shop.price(shop.route(shop.service(owner, f"service-{number}")))
    quoting.listed("", shop.NOW_S)
    with CaptureQueriesContext(connection) as queries:
        assert len(signatures(shop.NOW_S)) == 6
    assert len(queries) == 3


def test_all_are_quoted_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quoting, "SERVICES_AT_ONCE", 2)
    owner = shop.provider()
    for number in range(5):
        shop.price(shop.route(shop.service(owner, f"service-{number}")))
    found, after = [], ""
    while True:
        document = quoting.listed(after, shop.NOW_S)
        assert isinstance(document["quotes"], list)
        found += [quote["route"] for quote in document["quotes"]]
        if "next" not in document:
            break
        address, _, after = str(document["next"]).partition("?after=")
        assert address == "http://127.0.0.1:8000/apicharge/v1/quotes"
    assert found == [f"service-{number}/forecast" for number in range(5)]
