"""Instructions for strangers: limited by the database, and ready-made for the 402."""

import threading
import time
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connections
from django.utils import timezone

from billing import conf, instructing
from billing.domain.errors import TooMany
from billing.models import OPEN_PER_BUYER, AuditEntry, Purchase
from gateway.domain import tokens
from marketplace import pricing
from marketplace.models import Provider, Route, RouteQuote, Service
from tests.billing.buying import person
from tests.billing.working import BUYER, PAYEE, Shop
from tests.fakes.rail import FakeRail

HOME_NETWORK = "192.0.2.0/24"
# What asks nothing of the database that one does otherwise than another.
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def shop(database: str) -> Iterator[Shop]:
    shop = Shop(FakeRail(closed_at_s=int(time.time())))
    with conf.paying_by(shop.rail):
        yield shop


@pytest.fixture
def on_sale(shop: Shop) -> str:
    """A route with two prices."""
    owner = User.objects.create(username="seller")
    provider = Provider.objects.create(
        owner=owner, name="Seller", slug="seller", payout_address=PAYEE.address
    )
    service = Service.objects.create(
        provider=provider, name="Weather", slug="weather", tagline="Rain.", state="published"
    )
    route = Route.objects.create(service=service, name="Forecast", slug="forecast", path="/")
    for name, amount in (("Day", 9_000_000), ("Hour", 1_000_000)):
        limits = [{"kind": "calls", "count": 5, "window_seconds": None}]
        draft = RouteQuote(
            route=route, name=name, amount=amount, asset="USDC", access_seconds=3600, limits=limits
        )
        pricing.publish(pricing.save_draft(draft), timezone.now())
    return "weather/forecast"


def signable(on_sale: str, buyer: str = BUYER.address) -> dict[str, object] | None:
    return instructing.signable(on_sale, buyer, HOME_NETWORK, now_s=time.time())


@on_sqlite
def test_signable_is_an_instruction_for_the_cheapest_quote(shop: Shop, on_sale: str) -> None:
    ready = signable(on_sale)
    assert ready is not None
    purchase = Purchase.objects.get()
    assert (ready["id"], purchase.amount) == (purchase.pk, 1_000_000)
    assert ready["authorization_to_sign"] == purchase.signing_hash


@on_sqlite
def test_asking_again_makes_no_second_row(shop: Shop, on_sale: str) -> None:
    assert signable(on_sale) == signable(on_sale)
    assert Purchase.objects.count() == 1


def test_signable_can_be_bought(shop: Shop, on_sale: str) -> None:
    shop.open()
    signable(on_sale)
    shop.authorize(Purchase.objects.get())
    shop.turn()
    shop.rail.close_ledger()
    shop.turn()
    purchase = Purchase.objects.get()
    assert purchase.state == "granted"
    assert tokens.jws.parse(purchase.granted.token).payload["route"] == "weather/forecast"


@on_sqlite
@pytest.mark.parametrize("buyer", ["", "GX", "not an address"])
def test_nobody_is_instructed_for_what_is_no_account(shop: Shop, on_sale: str, buyer: str) -> None:
    assert signable(on_sale, buyer) is None
    assert not Purchase.objects.exists()


@on_sqlite
def test_signable_is_left_out_rather_than_failing(shop: Shop, on_sale: str) -> None:
    assert signable("weather/unknown") is None
    shop.rail.away = True
    assert signable(on_sale) is None
    assert not Purchase.objects.exists()


@on_sqlite
def test_signables_of_a_client_network_are_limited(
    shop: Shop, on_sale: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instructing, "SIGNABLE_PER_NETWORK", 2)
    buyers = [person(f"asker {number}").address for number in range(4)]
    assert [signable(on_sale, buyer) is None for buyer in buyers] == [False, False, True, True]
    assert Purchase.objects.count() == 2


@on_sqlite
def test_signables_that_come_to_nothing_are_limited_too(
    shop: Shop, on_sale: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instructing, "SIGNABLE_PER_NETWORK", 2)
    shop.rail.away = True
    assert [signable(on_sale) for _ in range(2)] == [None, None]
    shop.rail.away = False
    assert signable(on_sale) is None
    assert instructing.signable(on_sale, BUYER.address, "198.51.100.0/24", now_s=time.time())


def test_instructions_at_one_moment_do_not_exceed_what_a_buyer_may_have(shop: Shop) -> None:
    barrier = threading.Barrier(16)
    refused: list[TooMany] = []

    def instruct() -> None:
        barrier.wait()
        try:
            shop.instruct(expires_at=int(time.time()) + 600)
        except TooMany as exc:
            refused.append(exc)
        finally:
            connections["default"].close()

    threads = [threading.Thread(target=instruct) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Purchase.objects.count() + len(refused) == 16
    assert Purchase.objects.count() <= OPEN_PER_BUYER
    assert AuditEntry.objects.filter(action="purchase.instruct").count() == Purchase.objects.count()


SENSELESS: list[dict[str, object]] = [
    {"state": "unknown"},
    {"amount": -1},
    {"fee": 2_500_001},
    {"open_slot": OPEN_PER_BUYER},
    {"state": "authorized"},
    {"state": "confirmed", "open_slot": None},
    {"state": "granted", "open_slot": None},
]


def test_database_refuses_rows_that_make_no_sense(shop: Shop) -> None:
    shop.instruct(expires_at=int(time.time()) + 600)
    for change in SENSELESS:
        with pytest.raises(IntegrityError):
            Purchase.objects.update(**change)
