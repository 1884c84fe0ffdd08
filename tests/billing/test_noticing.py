"""Told once, to who bought it, of what they want to know, and of nobody else's."""

import json
import time
from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Wallet
from billing import noticing, posting, tasks
from billing.models import (
    Letter,
    Notice,
    NoticeChoice,
    Purchase,
    WebhookDelivery,
    WebhookEndpoint,
)
from gateway.models import GatewayNode, GrantLedger, Lease, LimiterLedger, Revocation, UsageMinute
from tests.billing.account.people import granted, used
from tests.billing.buying import person

pytestmark = pytest.mark.django_db
DAY, HOUR = 86_400, 3_600
CALLS = {"kind": "calls", "count": 100, "window_seconds": None}


@pytest.fixture
def carla() -> User:
    user = User.objects.create_user("carla", "carla@consumer.example")
    WebhookEndpoint.objects.create(
        user=user, url="https://93.184.216.34/", secret="whsec_" + "A" * 32, created_at_s=1
    )
    return user


def bought(owner: User | None, **terms: object) -> Purchase:
    return granted(person("carla"), owner=owner, **{"limits": (CALLS,), **terms})


def spend(purchase: Purchase, amount: int) -> None:
    LimiterLedger.objects.filter(grant=purchase.pk).update(used=amount)
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    if not UsageMinute.objects.filter(grant=purchase.pk).exists():
        used(purchase, minute=now, calls=amount)


def told() -> list[tuple[str, int]]:
    rows = WebhookDelivery.objects.order_by("created_at_s", "key")
    contents = [json.loads(row.body) for row in rows]
    return [
        (each["type"], each["data"].get("within_seconds") or each["data"]["limit"]["percent"])
        for each in contents
    ]


def subjects() -> list[str]:
    return sorted(Letter.objects.values_list("subject", flat=True))


def test_each_share_is_told_once_by_mail_and_webhook(carla: User) -> None:
    purchase = bought(carla)
    now_s = time.time()
    for amount in (79, 80, 94, 95, 100, 100):
        spend(purchase, amount)
        noticing.look_at_used(now_s=now_s)
        now_s += 1
    assert told() == [("grant.limit", 80), ("grant.limit", 95), ("grant.limit", 100)]
    assert subjects() == [
        "Hour pass is used up: 100 calls",
        "Hour pass: 80 % of 100 calls used",
        "Hour pass: 95 % of 100 calls used",
    ]
    posting.send_due(now_s=now_s)
    assert {letter.to[0] for letter in mail.outbox} == {"carla@consumer.example"}
    assert f"/account/grants/{purchase.pk}/" in mail.outbox[0].body


def test_leap_over_several_shares_is_one_message(carla: User) -> None:
    spend(bought(carla), 100)
    for _ in range(2):
        noticing.look_at_used(now_s=time.time())
    assert told() == [("grant.limit", 100)]
    assert Notice.objects.count() == 3


def test_what_is_out_on_lease_is_not_used_up_yet(carla: User) -> None:
    purchase = bought(carla)
    spend(purchase, 100)
    node = GatewayNode.objects.create(
        id="00000000-0000-0000-0000-000000000001",
        boot_id="another machine",
        host="elsewhere",
        journal="/nowhere",
        started_at=1,
        heartbeat_at=1,
    )
    limiter = LimiterLedger.objects.get(grant=purchase.pk)
    lease = Lease.objects.create(node=node, limiter=limiter, slot=0, amount=5)
    noticing.look_at_used(now_s=time.time())
    assert told() == [("grant.limit", 95)]
    lease.delete()
    noticing.look_at_used(now_s=time.time())
    assert ("grant.limit", 100) in told()


def test_nobody_elses_and_nobodys_grant_is_told_of(carla: User) -> None:
    dora = User.objects.create_user("dora", "dora@consumer.example")
    for purchase in (bought(None), bought(dora)):
        spend(purchase, 100)
    noticing.look_at_used(now_s=time.time())
    assert told() == []
    assert list(Letter.objects.values_list("user__username", flat=True)) == ["dora"]


def test_wallet_of_an_account_is_told_of_what_it_bought(carla: User) -> None:
    Wallet.objects.create(user=carla, address=person("carla").address)
    spend(bought(None), 100)
    noticing.look_at_used(now_s=time.time())
    assert told() == [("grant.limit", 100)]


def test_what_is_not_wanted_is_not_told_and_not_caught_up_with(carla: User) -> None:
    choice = NoticeChoice.objects.create(user=carla, by_mail=False, wanted=[100])
    purchase = bought(carla)
    spend(purchase, 96)
    noticing.look_at_used(now_s=time.time())
    choice.wanted = [80, 95, 100]
    choice.save()
    noticing.look_at_used(now_s=time.time())
    assert told() == []
    spend(purchase, 100)
    noticing.look_at_used(now_s=time.time())
    assert told() == [("grant.limit", 100)]
    assert not Letter.objects.exists()


def test_window_of_a_day_is_told_of_each_day_and_shorter_ones_never(carla: User) -> None:
    daily = bought(carla, limits=({**CALLS, "window_seconds": DAY},), access_seconds=9 * DAY)
    minutely = bought(carla, limits=({**CALLS, "window_seconds": 60},))
    for purchase in (daily, minutely):
        spend(purchase, 90)
    noticing.look_at_used(now_s=time.time())
    LimiterLedger.objects.filter(grant=daily.pk).update(window=1)
    for _ in range(2):
        noticing.look_at_used(now_s=time.time())
    assert told() == [("grant.limit", 80)]
    # A day later it is another window, whose row has been used as much.
    later_s = time.time() + DAY
    used(daily, minute=datetime.fromtimestamp(later_s, UTC), calls=1)
    noticing.look_at_used(now_s=later_s)
    assert told() == [("grant.limit", 80)] * 2


def test_end_is_told_a_day_and_an_hour_before(carla: User) -> None:
    at_s = time.time()
    purchase = bought(carla, access_seconds=30 * DAY, at_s=at_s)
    ends_s = int(at_s) + 30 * DAY
    assert Purchase.objects.get().notice_due_at_s == ends_s - DAY
    for moment in (ends_s - DAY - 1, ends_s - DAY, ends_s - HOUR, ends_s + 9):
        for _ in range(2):
            noticing.look_at_ends(now_s=moment)
    assert told() == [("grant.ending", DAY), ("grant.ending", HOUR)]
    assert subjects() == ["Hour pass ends within 24 hours", "Hour pass ends within an hour"]
    assert Purchase.objects.get().notice_due_at_s is None
    assert purchase.pk in WebhookDelivery.objects.all()[0].body


def test_unused_grant_is_told_of_before_it_cannot_be_begun_and_its_end_after(carla: User) -> None:
    at_s = int(time.time())
    purchase = bought(carla, starts="first_use", access_seconds=2 * DAY, at_s=at_s)
    last_s = at_s + 365 * DAY
    assert Purchase.objects.get().notice_due_at_s == last_s - DAY
    noticing.look_at_ends(now_s=last_s - DAY)
    assert subjects() == ["Hour pass has to be used for the first time within 24 hours"]
    GrantLedger.objects.filter(pk=purchase.pk).update(first_used_at=at_s + 100.0)
    noticing.look_at_first_uses(now_s=time.time())
    assert Purchase.objects.get().notice_due_at_s == at_s + 100 + DAY
    noticing.look_at_ends(now_s=at_s + 100 + DAY)
    assert told()[-1] == ("grant.ending", DAY)


def test_first_uses_are_seen_after_hours_without_workers_and_in_turns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(noticing, "LOOKED_AT_ONCE", 2)
    monkeypatch.setattr(noticing, "TURNS", 1)
    at_s = int(time.time())
    terms = {"starts": "first_use", "access_seconds": 2 * DAY, "at_s": at_s}
    begun = [bought(None, **terms) for _ in range(4)]
    for second, purchase in enumerate(begun, start=100):
        GrantLedger.objects.filter(pk=purchase.pk).update(first_used_at=at_s + second)
    now_s = at_s + 9 * HOUR
    for _ in range(3):
        assert noticing.look_at_first_uses(now_s=now_s) == 2
    due = Purchase.objects.order_by("pk").values_list("notice_due_at_s", flat=True)
    assert list(due) == [at_s + second + DAY for second in range(100, 104)]
    monkeypatch.setattr(noticing, "LOOKED_AT_ONCE", 9)
    noticing.look_at_first_uses(now_s=now_s)
    assert noticing.look_at_first_uses(now_s=now_s) == 0
    # A clock that was behind, and a row that came late.
    late_s = now_s - noticing.FIRST_USE_LATE_SECONDS + 1
    GrantLedger.objects.filter(pk=begun[0].pk).update(first_used_at=late_s)
    assert noticing.look_at_first_uses(now_s=now_s) == 1


def test_revoked_grant_is_not_told_of(carla: User) -> None:
    at_s = time.time()
    purchase = bought(carla, access_seconds=30 * DAY, at_s=at_s)
    Revocation.objects.create(grant=purchase.pk)
    noticing.look_at_ends(now_s=at_s + 29 * DAY + 1)
    assert told() == []


def test_many_used_grants_are_looked_at_in_turns_and_few_questions(
    carla: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(noticing, "LOOKED_AT_ONCE", 4)
    for _ in range(6):
        spend(bought(carla), 1)
    with CaptureQueriesContext(connection) as asked:
        looked = [noticing.look_at_used(now_s=time.time()) for _ in range(3)]
    assert looked == [4, 2, 4]
    assert len(asked) <= 3 * 7


def test_task_looks_at_all_of_them(carla: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noticing, "LOOKED_AT_ONCE", 2)
    for _ in range(5):
        spend(bought(carla), 100)
    tasks.notice()
    assert told() == [("grant.limit", 100)] * 5
