from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from gateway.domain.routes import RouteTableError
from gateway.models import Snapshot, SnapshotAddress, SnapshotPart, VerifyingKey
from marketplace import holding, pricing, publishing, starting, suspending, vetting
from marketplace.models import Provider, Service, Suspension
from tests.marketplace import shop
from tests.publications import published

pytestmark = pytest.mark.django_db


def test_snapshot_holds_exactly_what_the_gate_is_promised() -> None:
    VerifyingKey.objects.create(kid="k1", public_key="ab" * 32)
    VerifyingKey.objects.create(
        kid="k0", public_key="cd" * 32, revoked_at=datetime(2026, 1, 1, tzinfo=UTC)
    )
    service = shop.service(
        shop.provider(),
        host="weather.example",
        secret="ef" * 32,
        allowed_origins=["https://app.example"],
    )
    shop.price(shop.route(service, methods=["GET", "HEAD"], first_byte_ms=500))
    assert published() == {
        "version": Snapshot.objects.latest("version").version,
        "issuer": "http://127.0.0.1:8000",
        "keys": {"k1": "ab" * 32},
        "services": [
            {
                "slug": "weather",
                "name": "Weather",
                "hosts": ["weather.example"],
                "root_path": None,
                "secret": "ef" * 32,
                "upstreams": [{"url": "http://127.0.0.1:9000/base", "weight": 1}],
                "balancing": "round_robin",
                "health": None,
                "tls": None,
                "transform": None,
                "trailers": False,
                "timeouts": {"connect_ms": 5000, "first_byte_ms": 100_000, "idle_ms": 300_000},
                "allowed_origins": ["https://app.example"],
                "guards": {},
                "provider": service.provider_id,
                "routes": [
                    {
                        "id": "weather/forecast",
                        "name": "Forecast",
                        "path": "/forecast",
                        "methods": ["GET", "HEAD"],
                        "timeouts": {"first_byte_ms": 500},
                        "message_bytes_max": 2**20,
                        "guards": {},
                        "offers": [
                            {
                                "name": "Hour pass",
                                "price": {"amount": "2500000", "asset": "USDC"},
                                "access_seconds": 3600,
                                "limits": [
                                    {"kind": "calls", "count": 1000, "window_seconds": None}
                                ],
                                "words": ["1,000 calls"],
                            }
                        ],
                    }
                ],
            }
        ],
    }


def publish(*services: Service) -> None:
    with transaction.atomic():
        publishing.publish([service.pk for service in services])


def publish_everything() -> None:
    with transaction.atomic():
        publishing.publish_everything()


def test_publishing_twice_writes_one_version() -> None:
    price = shop.stall()
    before = published(), Snapshot.objects.count()
    publish(price.route.service)
    publish_everything()
    assert (published(), Snapshot.objects.count()) == before


def test_only_what_differs_is_written() -> None:
    owner = shop.provider()
    services = [shop.service(owner, f"service-{number}") for number in range(3)]
    publish_everything()
    Service.objects.filter(pk=services[1].pk).update(name="Another")
    publish(*services)
    newest = Snapshot.objects.latest("version")
    assert newest.body["changed"] == ["service-1"]
    assert newest.body["count"] == 1
    [changed] = SnapshotPart.objects.filter(version=newest.version)
    assert (changed.service, changed.body["name"]) == (services[1].pk, "Another")


def test_a_change_is_read_of_its_service_alone() -> None:
    """What nobody named stays as it is, until everything is published."""
    owner = shop.provider()
    one, other = shop.service(owner, "one"), shop.service(owner, "other")
    publish_everything()
    Service.objects.update(name="Another")
    publish(one)
    assert [each["name"] for each in published()["services"]] == ["Another", "Other"]
    publish_everything()
    assert [each["name"] for each in published()["services"]] == ["Another", "Another"]
    assert other.name == "Other"


def test_the_first_publication_is_of_everything() -> None:
    owner = shop.provider()
    one, _ = shop.service(owner, "one"), shop.service(owner, "two")
    publish(one)
    assert [each["slug"] for each in published()["services"]] == ["one", "two"]


def test_what_is_gone_leaves_and_may_come_back() -> None:
    owner = shop.provider()
    one, two = shop.service(owner, "one", host="h.example"), shop.service(owner, "two")
    publish_everything()
    version = published()["version"]
    Service.objects.filter(pk=one.pk).update(state=Service.State.DRAFT)
    publish(one)
    [gone] = SnapshotPart.objects.filter(version__gt=version)
    assert (gone.service, gone.body) == (one.pk, None)
    Service.objects.filter(pk=two.pk).update(host="H.example")  # Free again.
    publish(two)
    Service.objects.filter(pk=one.pk).update(state=Service.State.PUBLISHED, host=None)
    publish(one)
    assert [each["slug"] for each in published()["services"]] == ["one", "two"]
    pk = two.pk
    two.upstreams.all().delete()
    two.delete()
    with transaction.atomic():
        publishing.publish([pk])
    assert [each["slug"] for each in published()["services"]] == ["one"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"host": "h.example"}, {"host": "H.example."}),
        ({"root_path": "/x"}, {"root_path": "/x/"}),
        ({}, {"root_path": "/gate/kept"}),
        ({"root_path": "/gate/other"}, {}),
        ({}, {"root_path": "/%2e%2e"}),
        ({}, {"root_path": "/"}),
    ],
)
def test_what_the_gate_could_not_serve_is_refused_and_changes_nothing(
    before: dict[str, str], after: dict[str, str]
) -> None:
    owner = shop.provider()
    kept = shop.service(owner, "kept", **before)
    publish(kept)
    known = published()
    with pytest.raises(RouteTableError), transaction.atomic():
        publishing.publish([shop.service(owner, "other", **after).pk])
    assert published() == known


def test_two_that_change_at_once_may_swap_their_addresses() -> None:
    owner = shop.provider()
    one = shop.service(owner, "one", host="h.example")
    two = shop.service(owner, "two", root_path="/two")
    publish_everything()
    assert SnapshotAddress.objects.count() == 4
    for service, slug in ((one, "between"), (two, "one"), (one, "two")):
        Service.objects.filter(pk=service.pk).update(slug=slug, host=None, root_path=None)
    publish(one, two)
    assert dict(SnapshotAddress.objects.values_list("address", "service")) == {
        "/gate/two": one.pk,
        "/gate/one": two.pk,
    }


def test_addresses_follow_the_prefix(settings: Settings) -> None:
    shop.stall()
    settings.GATE_PREFIX = "/elsewhere/"
    publish_everything()
    assert [str(each) for each in SnapshotAddress.objects.all()] == ["/elsewhere/weather"]


def test_a_change_costs_as_many_queries_among_many_services() -> None:
    def queries() -> int:
        Service.objects.filter(pk=one.pk).update(idle_ms=F("idle_ms") + 1)
        with CaptureQueriesContext(connection) as asked:
            publish(one)
        return len(asked)

    owner = shop.provider()
    one = shop.service(owner)
    shop.price(shop.route(one))
    alone = queries()
    for number in range(5):
        shop.price(shop.route(shop.service(owner, f"service-{number}")))
    assert queries() == alone <= 40  # A part and the row of the catalogue, both of one service.


def test_retired_price_leaves_the_snapshot_and_route_stays() -> None:
    price = shop.stall()
    assert pricing.retire(price, shop.NOW)
    [route] = published()["services"][0]["routes"]
    assert (route["id"], route["offers"]) == ("weather/forecast", [])
    assert not pricing.retire(price, shop.NOW)


def test_offers_are_cheapest_first() -> None:
    route = shop.route(shop.service(shop.provider()))
    shop.price(route, "Day", amount=20_000_000)
    shop.price(route, "Minute", amount=0)
    shop.price(route, "Hour", amount=5)
    [body] = published()["services"][0]["routes"]
    assert [offer["name"] for offer in body["offers"]] == ["Minute", "Hour", "Day"]


def test_every_act_publishes_all_that_it_changed() -> None:
    price = shop.stall()
    service = price.route.service
    shop.stall("Bruno", "maps")

    def suspension(of: Service | Provider) -> Suspension:
        said = {"reason": "r", "ends_grants": False, "actor": "staff", "now_s": shop.NOW_S}
        return suspending.suspend(of, **said)

    def lift(one: Suspension) -> bool:
        return suspending.lift(one, actor="staff", now_s=shop.NOW_S)

    acts: list[Callable[[], object]] = [
        lambda: starting.pause(service),
        lambda: starting.publish(service),
        lambda: lift(suspension(service)),
        lambda: suspension(service.provider),
        lambda: lift(Suspension.objects.get(provider=service.provider)),
        lambda: pricing.retire(price, shop.NOW),
        lambda: holding.remove(price.route, shop.NOW),
        lambda: Service.objects.filter(pk=service.pk).update(is_held=True),
        lambda: vetting.send_back(service),
    ]
    for act in acts:
        version = published()["version"]
        act()
        after = published()["version"]
        publish_everything()
        assert published()["version"] == after
        assert after > version or act is acts[-2], act


def test_history_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing, "KEPT", 2)
    monkeypatch.setattr(publishing, "NAMED_MAX", 1)
    monkeypatch.setattr(publishing, "AT_ONCE", 2)
    owner = shop.provider()
    for number in range(5):
        shop.service(owner, f"service-{number}")
    for number in range(4):
        Service.objects.update(name=f"Name {number}")
        publish_everything()
    assert Snapshot.objects.count() == 2
    newest = Snapshot.objects.latest("version").body
    assert (newest["changed"], newest["count"]) == (["service-0"], 5)
    assert {each["name"] for each in published()["services"]} == {"Name 3"}


@pytest.mark.django_db(transaction=True)
def test_publishing_outside_the_changes_transaction_is_refused() -> None:
    with pytest.raises(TransactionManagementError):
        publishing.publish([])
