"""What many processes do at once, on a SQLite file and on PostgreSQL."""

import queue
import threading
from collections.abc import Callable
from contextlib import suppress

import pytest
from django.db import transaction

from gateway.models import SnapshotAddress
from gateway.routing import News
from gateway.snapshots import Snapshots
from marketplace import pricing, publishing, quoting
from marketplace.models import Provider, Quote, RouteQuote, Service
from tests.gateway.tables import compile_table
from tests.marketplace import shop
from tests.marketplace.conftest import Together
from tests.publications import published

STATE = Service.State.PUBLISHED
pytestmark = pytest.mark.usefixtures("database")


class Gathered:
    """What threads found, in one list."""

    def __init__(self) -> None:
        self.found: list[object] = []
        self._lock = threading.Lock()

    def adding(self, act: Callable[[], object]) -> Callable[[], None]:
        def run() -> None:
            result = act()
            with self._lock:
                self.found.append(result)

        return run


def test_many_at_once_sign_one_quote(together: Together) -> None:
    price = shop.stall()
    seen = Gathered()
    together(8, seen.adding(lambda: quoting.sign_all([price], shop.NOW_S)[0].signature))
    assert (len(seen.found), len(set(seen.found)), Quote.objects.count()) == (8, 1, 1)


def test_no_part_misses_a_change_that_was_made_at_the_same_time(together: Together) -> None:
    """Of one service, of new ones, of all that a query finds; and no gate that follows does."""
    owner = shop.provider()
    one, numbers = shop.service(owner), iter(range(6))
    told: queue.Queue[News] = queue.Queue()
    source = Snapshots(prefix="/gate/", poll_seconds=0.001)
    source.follow(told.put)

    def change() -> None:
        number = next(numbers)
        with transaction.atomic():
            shop.route(one, f"route-{number}")
            made = Service.objects.create(provider=owner, slug=f"s{number}", name="S", state=STATE)
            if number % 3 == 0:
                Provider.objects.filter(pk=owner.pk).update(is_suspended=number == 0)
                own = Service.objects.filter(provider=owner)
                own.update(connect_ms=7_000)
                publishing.publish(own.values_list("pk", flat=True))
            publishing.publish([one.pk, made.pk])

    together(6, change)
    whole = published()
    assert len(whole["services"]) == Service.objects.count() == 7
    assert len(whole["services"][0]["routes"]) == 6
    while (table := told.get(timeout=30).table) is None or table.version < whole["version"]:
        pass
    source.close()
    assert table == compile_table(whole)


def test_change_that_fails_after_publishing_leaves_everything(together: Together) -> None:
    shop.stall()
    source = Snapshots(prefix="/gate/")
    assert source.read().table is not None
    before, addresses = published(), list(SnapshotAddress.objects.values())

    def fail() -> None:
        with suppress(RuntimeError), transaction.atomic():
            Service.objects.update(slug="other", host="other.example")
            publishing.publish_everything()
            raise RuntimeError

    together(2, fail)
    assert (published(), list(SnapshotAddress.objects.values())) == (before, addresses)
    assert source.read().table is None


def test_draft_is_published_by_one_of_many(together: Together) -> None:
    draft = shop.draft(shop.route(shop.service(shop.provider())))
    seen = Gathered()

    def publish() -> str:
        try:
            return pricing.publish(draft, shop.NOW).state
        except pricing.NotADraft:
            return "too late"

    together(6, seen.adding(publish))
    assert sorted(map(str, seen.found)) == ["published", *["too late"] * 5]
    assert RouteQuote.objects.get().state == "published"
