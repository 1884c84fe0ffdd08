"""What many processes do at once, on a SQLite file and on PostgreSQL."""

import threading
from collections.abc import Callable

import pytest
from django.db import transaction

from gateway.models import Snapshot
from marketplace import pricing, publishing, quoting
from marketplace.models import Quote, RouteQuote, Service
from tests.marketplace import shop
from tests.marketplace.conftest import Together

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


def test_no_snapshot_misses_a_change_that_was_made_at_the_same_time(together: Together) -> None:
    owner = shop.provider()
    numbers = iter(range(6))

    def change() -> None:
        with transaction.atomic():
            shop.service(owner, f"service-{next(numbers)}")
            publishing.publish()

    together(6, change)
    body = Snapshot.objects.latest("version").body
    assert len(body["services"]) == Service.objects.count() == 6


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
