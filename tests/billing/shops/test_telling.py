"""What a provider is told of its grants and services: each thing once, and nobody else's."""

import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from billing import noticing, withdrawing
from billing.models import Letter, Outage, Purchase, ShopNotice, WebhookDelivery, WebhookEndpoint
from billing.shops import outages
from billing.webhooks import announcing, selling
from gateway.models import GatewayNode, GrantLedger, Lease, LimiterLedger
from marketplace.models import Provider, Service, Standing
from tests.billing.account.people import granted, used
from tests.billing.buying import person
from tests.marketplace import shop

pytestmark = pytest.mark.django_db
DAY = 86_400
CALLS = {"kind": "calls", "count": 100, "window_seconds": None}
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def seller() -> Provider:
    """Who sells weather/forecast, beside somebody who sells other things."""
    for name, slug in (("Bruno", "tides"), ("Alba", "weather")):
        made = shop.service(shop.provider(name), slug).provider
        WebhookEndpoint.objects.create(
            provider=made, url=f"https://{slug}.example/", secret="whsec_", created_at_s=1
        )
    User.objects.filter(username="alba").update(email="alba@sells.example")
    return made


def told() -> list[tuple[str, dict[str, object]]]:
    """By her endpoint alone; there is nothing for his."""
    rows = WebhookDelivery.objects.order_by("created_at_s", "key").select_related("endpoint")
    assert {row.endpoint.url for row in rows} <= {"https://weather.example/"}
    bodies = [json.loads(row.body) for row in rows]
    return [(each["type"], each["data"]) for each in bodies if each["type"] != selling.SOLD]


def spend(purchase: Purchase, amount: int, *, index: int = 0) -> None:
    LimiterLedger.objects.filter(grant=purchase.pk, index=index).update(used=amount)


def look(at_s: float) -> None:
    noticing.look(now_s=at_s)


def test_each_limit_that_is_used_up_is_told_once_whoever_bought(seller: Provider) -> None:
    at_s = time.time()
    data = {"kind": "data", "bytes": 1_000, "direction": "down", "window_seconds": None}
    anonymous = granted(person("carla"), limits=(CALLS, data), at_s=at_s)
    used(anonymous, minute=datetime.fromtimestamp(at_s, UTC), calls=1)
    for calls, down in ((99, 0), (100, 999), (100, 1_000), (100, 1_000)):
        spend(anonymous, calls)
        spend(anonymous, down, index=1)
        look(at_s)
        at_s += 1
    assert [(event, data["limit"]) for event, data in told()] == [
        (selling.USED_UP, {"kind": "calls", "total": 100, "window_seconds": None}),
        (selling.USED_UP, {"kind": "data", "total": 1_000, "window_seconds": None}),
    ]
    assert told()[0][1]["grant"] == anonymous.pk
    # What was told is a row, so it is not told again once its message is forgotten.
    WebhookDelivery.objects.all().delete()
    look(at_s)
    assert told() == []
    assert ShopNotice.objects.count() == 2


def test_what_is_out_on_lease_is_not_used_up(seller: Provider) -> None:
    purchase = granted(person("carla"), limits=(CALLS,))
    spend(purchase, 100)
    used(purchase, minute=datetime.now(UTC), calls=1)
    node = GatewayNode.objects.create(
        id="00000000-0000-0000-0000-000000000001",
        boot_id="another machine",
        host="elsewhere",
        journal="/nowhere",
        started_at=1,
        heartbeat_at=1,
    )
    limiter = LimiterLedger.objects.get(grant=purchase.pk)
    Lease.objects.create(node=node, limiter=limiter, slot=0, amount=5)
    look(time.time())
    assert told() == []


def test_end_is_told_when_it_comes_also_of_a_short_pass(seller: Provider) -> None:
    at_s = int(time.time())
    short = granted(person("carla"), limits=(CALLS,), access_seconds=60, at_s=at_s)
    look(at_s + 59)
    assert told() == []
    for moment in (at_s + 60, at_s + 61, at_s + 999):
        look(moment)
    [(event, said)] = told()
    assert (event, said["grant"]) == (selling.ENDED, short.pk)
    assert (said["because"], said["ended_at"]) == ("expired", at_s + 60)
    assert Purchase.objects.get().notice_due_at_s is None


def test_end_of_what_begins_with_its_first_use_comes_after_it(seller: Provider) -> None:
    at_s = int(time.time())
    terms = {"limits": (CALLS,), "starts": "first_use", "access_seconds": 2 * DAY}
    purchase = granted(person("carla"), at_s=at_s, **terms)
    GrantLedger.objects.update(first_used_at=at_s + 100.5)
    used(purchase, minute=datetime.now(UTC), calls=1)
    look(at_s + 101)
    assert told() == []
    for moment in (at_s + 100 + 2 * DAY, at_s + 101 + 2 * DAY):
        look(moment)
    assert [said["ended_at"] for _event, said in told()] == [at_s + 100 + 2 * DAY]


def test_unused_grant_has_not_ended_while_it_can_be_used(seller: Provider) -> None:
    at_s = int(time.time())
    terms = {"limits": (CALLS,), "starts": "first_use", "access_seconds": 2 * DAY}
    granted(person("carla"), at_s=at_s, **terms)
    last_s = at_s + 365 * DAY
    for moment in (last_s - DAY, last_s - 1, last_s, last_s + 1, last_s + 2 * DAY - 1):
        look(moment)
    assert told() == []
    for _ in range(2):
        look(last_s + 2 * DAY)
    assert [said["ended_at"] for _event, said in told()] == [last_s + 2 * DAY]
    assert Purchase.objects.get().notice_due_at_s is None


def test_end_is_told_though_nobody_looked_when_it_was_used_first(seller: Provider) -> None:
    at_s = int(time.time())
    terms = {"limits": (CALLS,), "starts": "first_use", "access_seconds": 3_600}
    granted(person("carla"), at_s=at_s, **terms)
    GrantLedger.objects.update(first_used_at=at_s + 100.0)
    look(at_s + 5 * 3_600)
    assert [said["ended_at"] for _event, said in told()] == [at_s + 3_700]


def test_many_ends_are_told_in_as_few_questions_as_one_and_only_where_wanted(
    seller: Provider,
) -> None:
    at_s = int(time.time())
    asked = []
    for count in (1, 7):
        for _ in range(count):
            granted(person("carla"), limits=(CALLS,), access_seconds=60, at_s=at_s)
        at_s += 100
        with CaptureQueriesContext(connection) as questions:
            noticing.look_at_ends(now_s=at_s)
        asked.append(len(questions))
    assert asked[0] == asked[1]
    assert (len(told()), ShopNotice.objects.count()) == (8, 8)
    WebhookEndpoint.objects.filter(provider=seller).update(events=[selling.DOWN])
    granted(person("carla"), limits=(CALLS,), access_seconds=60, at_s=at_s)
    look(at_s + 60)
    assert (len(told()), ShopNotice.objects.count()) == (8, 8)


def test_withdrawn_grant_has_ended_and_does_not_end_again(seller: Provider) -> None:
    at_s = int(time.time())
    purchase = granted(person("carla"), limits=(CALLS,), at_s=at_s)
    withdrawing.withdraw(purchase.pk, "one token", actor="carla", now_s=at_s + 1)
    assert told() == []
    with CaptureQueriesContext(connection) as asked:
        withdrawing.withdraw(purchase.pk, actor="carla", now_s=at_s + 1)
    said = [each["sql"] for each in asked.captured_queries]
    locked = next(at for at, sql in enumerate(said) if "billing_audithead" in sql)
    assert not any("webhook" in sql or "notice" in sql for sql in said[locked:])
    assert not withdrawing.withdraw(purchase.pk, actor="carla", now_s=at_s + 1)
    look(at_s + 9 * DAY)
    assert [(event, said["because"]) for event, said in told()] == [(selling.ENDED, "withdrawn")]


def probed(at: datetime, *, down_since: datetime | None) -> None:
    weather = Standing.objects.filter(service__slug="weather")
    weather.update(probed_at=at, down_since=down_since)
    outages.look(now_s=at.timestamp())
    outages.look(now_s=at.timestamp())


def test_second_failed_probe_is_an_outage_and_an_answer_ends_it(seller: Provider) -> None:
    probed(NOW, down_since=NOW)
    assert told() == []
    for minute in (1, 2):
        probed(NOW + minute * MINUTE, down_since=NOW)
    probed(NOW + 3 * MINUTE, down_since=None)
    since, until = "2026-11-21T12:00:00Z", "2026-11-21T12:03:00Z"
    assert told() == [
        (selling.DOWN, {"service": "weather", "since": since}),
        (selling.UP, {"service": "weather", "since": since, "until": until}),
    ]
    # Once more, answered in between: another outage, and no other mail within the hour.
    probed(NOW + 5 * MINUTE, down_since=NOW + 4 * MINUTE)
    assert [event for event, _ in told()] == [selling.DOWN, selling.UP, selling.DOWN]
    letters = Letter.objects.order_by("pk").values_list("user__username", "subject")
    assert list(letters) == [
        ("alba", "Weather does not answer"),
        ("alba", "Weather answers again"),
    ]


def test_answer_and_another_failure_between_two_looks_end_one_outage_and_begin_one(
    seller: Provider,
) -> None:
    probed(NOW + MINUTE, down_since=NOW)
    probed(NOW + 9 * MINUTE, down_since=NOW + 8 * MINUTE)
    rows = Outage.objects.order_by("began_at").values_list("began_at", "ended_at")
    assert list(rows) == [(NOW, NOW + 8 * MINUTE), (NOW + 8 * MINUTE, None)]


def test_database_keeps_one_open_outage_of_a_service_and_one_telling(seller: Provider) -> None:
    weather = Service.objects.get(slug="weather")
    Outage.objects.create(service=weather, began_at=NOW)
    notice = {"provider": seller, "event": selling.ENDED, "subject": "grant", "told_at_s": 1}
    ShopNotice.objects.create(**notice)
    with pytest.raises(IntegrityError), transaction.atomic():
        Outage.objects.create(service=weather, began_at=NOW + MINUTE)
    with pytest.raises(IntegrityError), transaction.atomic():
        ShopNotice.objects.create(**notice)
    with pytest.raises(IntegrityError), transaction.atomic():
        ShopNotice.objects.create(**notice | {"event": "whatever"})


def test_tests_of_addresses_are_bounded_by_owner_and_events_are_explained(
    seller: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client()
    client.force_login(seller.owner)
    own = f"/admin/webhooks/{WebhookEndpoint.objects.get(provider=seller).pk}/"
    with monkeypatch.context() as full:
        full.setattr(announcing, "WAITING_MAX", 0)
        page = client.post(own, {"act": "test"}, follow=True).content.decode()
        assert "it takes no more" in page
        assert "Enough tests" not in page
    # Minutes are counted by the clock, and one may end in between.
    pages = [client.post(own, {"act": "test"}, follow=True) for _ in range(14)]
    assert any("Enough tests for now" in page.content.decode() for page in pages)
    assert WebhookDelivery.objects.count() <= 12
    form = client.get("/admin/webhooks/").content.decode()
    assert "service.down: a service does not answer" in form
