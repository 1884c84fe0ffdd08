"""`Prefer: wait`: the answer comes when the purchase is settled, or when the time is up."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator

import pytest
from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.db import connections
from django.test import AsyncClient

from billing import advancing, conf, keys
from billing.api import waiting
from billing.models import AuditEntry, ChainTransaction, GrantedToken, Purchase
from tests.billing.working import BUYER, Shop
from tests.fakes.rail import FakeRail
from tests.promptness import within
from tests.waiting import until


@pytest.fixture
def shop(database: str) -> Iterator[Shop]:
    shop = Shop(FakeRail(closed_at_s=int(time.time())))
    with conf.paying_by(shop.rail):
        shop.open()
        keys.ensure_registered()
        yield shop


def free_purchase(shop: Shop) -> Purchase:
    return shop.instruct(amount=0, expires_at=int(time.time()) + 600)


async def authorize(purchase: Purchase, prefer: str | None) -> tuple[int, dict[str, str], str]:
    """A request as a server has it: a thread of its own, whose connection ends with it."""
    async with ThreadSensitiveContext():
        try:
            return await _authorize(purchase, prefer)
        finally:
            await sync_to_async(connections.close_all)()


async def _authorize(purchase: Purchase, prefer: str | None) -> tuple[int, dict[str, str], str]:
    body = BUYER.authorization({"authorization_to_sign": purchase.signing_hash})
    answer = await AsyncClient().post(
        f"/apicharge/v1/purchases/{purchase.pk}/authorization",
        json.dumps(body),
        content_type="application/json",
        headers={} if prefer is None else {"prefer": prefer},
    )
    told = json.loads(answer.content)
    return answer.status_code, told, answer.headers.get("Preference-Applied", "")


def work_soon(purchase: Purchase) -> threading.Thread:
    """A worker elsewhere, a moment later."""

    def work() -> None:
        until(lambda: Purchase.objects.get(pk=purchase.pk).state != "instructed")
        advancing.advance(purchase.pk, now_s=time.time())
        connections["default"].close()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_answer_waits_for_the_grant(shop: Shop) -> None:
    purchase = free_purchase(shop)
    worker = work_soon(purchase)
    status, told, applied = asyncio.run(authorize(purchase, "wait=10"))
    worker.join()
    assert (status, told["status"], applied) == (202, "granted", "wait=10")
    assert told["granted_access_token"]


def test_answer_comes_when_the_time_is_up(shop: Shop) -> None:
    purchase = free_purchase(shop)
    began = time.monotonic()
    status, told, _ = asyncio.run(authorize(purchase, "wait=1"))
    assert (status, told["status"]) == (202, "authorized")
    assert 0.9 < time.monotonic() - began < within(3)


def test_nobody_waits_without_asking(shop: Shop) -> None:
    status, told, applied = asyncio.run(authorize(free_purchase(shop), None))
    assert (status, told["status"], applied) == (202, "authorized", "")


def test_waiter_beyond_the_most_is_answered_at_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "WAITERS_MAX", 0)
    status, told, applied = asyncio.run(authorize(free_purchase(shop), "wait=30"))
    assert (status, told["status"], applied) == (202, "authorized", "")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("wait=5", 5),
        ("respond-async, wait=5", 5),
        ('wait="7"', 7),
        ("WAIT = 3; x=y", 3),
        ("wait=31", 30),
        ("wait=999999", 30),
        ("wait=-1", 0),
        ("wait=soon", 0),
        ("await=5", 0),
    ],
)
def test_preference_is_read_as_rfc_7240_has_it(header: str | None, seconds: int) -> None:
    assert waiting.preferred_wait(header) == seconds


def test_one_authorization_posted_many_times_at_once_is_one(shop: Shop) -> None:
    purchase = shop.instruct(expires_at=int(time.time()) + 600)

    async def storm() -> list[tuple[int, dict[str, str], str]]:
        return await asyncio.gather(*(authorize(purchase, None) for _ in range(100)))

    answers = asyncio.run(storm())
    assert {(status, told["id"]) for status, told, _ in answers} == {(202, purchase.pk)}
    shop.turn(seconds=60)  # Longer than the storm takes on any machine.
    shop.rail.close_ledger()
    shop.turn()
    assert GrantedToken.objects.count() == 1
    assert ChainTransaction.objects.count() == 1
    assert AuditEntry.objects.filter(action="purchase.authorize").count() == 1
