"""A provider's grants: its own, under names of ours; what was paid for is not ended here."""

from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from billing import auditing
from billing.domain.audit import Intact
from billing.models import AuditEntry
from gateway.models import Revocation
from marketplace.models import RouteQuote
from tests.billing.shops import customs
from tests.marketplace import shop

pytestmark = pytest.mark.django_db
SCREEN = "/admin/grants/"


@pytest.fixture
def price() -> RouteQuote:
    return shop.stall("Alba")


@pytest.fixture
def as_alba(price: RouteQuote) -> Client:
    client = Client()
    client.force_login(price.route.service.provider.owner)
    return client


def test_running_and_all_of_its_own(price: RouteQuote, as_alba: Client) -> None:
    assert "No grant runs" in as_alba.get(SCREEN).content.decode()
    now = datetime.now(UTC)
    for number in range(5):
        customs.purchase(price, f"buyer {number}", now, number=number)
    customs.purchase(price, "late", datetime(2026, 1, 1, tzinfo=UTC))
    foreign = customs.purchase(shop.stall("Bruno", "files"), "ann", now)
    archive = shop.service(price.route.service.provider, "archive")
    other = shop.price(shop.route(archive), "Archive pass")
    with CaptureQueriesContext(connection) as asked:
        running = as_alba.get(SCREEN)
    assert len(asked) <= 10
    assert len(running.context["grants"]) == 5
    # What is of another service is offered after those of the grant's own.
    giving = as_alba.get(f"{SCREEN}?give={running.context['grants'][0].grant}").context["giving"]
    assert giving["offered"] == [price, other]
    everything = as_alba.get(f"{SCREEN}?all=1")
    assert len(everything.context["grants"]) == 6
    assert foreign.pk not in everything.content.decode()
    assert shop.account("buyer 1") not in everything.content.decode()


def test_free_one_ends_with_a_reason_and_a_paid_one_does_not(
    price: RouteQuote, as_alba: Client
) -> None:
    now = datetime.now(UTC)
    free = shop.price(price.route, "Trial", amount=0)
    given, paid = customs.purchase(free, "ann", now), customs.purchase(price, "ann", now)
    foreign = customs.purchase(
        shop.price(shop.stall("Bruno", "files").route, "Free", amount=0), "ann", now
    )
    for grant in (paid.pk, foreign.pk, "none"):
        answer = as_alba.post(SCREEN, {"grant": grant, "reason": "because"})
        assert answer.status_code == 404
    as_alba.post(SCREEN, {"grant": given.pk, "reason": " "})
    assert not Revocation.objects.exists()
    as_alba.post(SCREEN, {"grant": given.pk, "reason": "abuse"})
    assert Revocation.objects.get().grant == given.pk
    detail = {"reason": "abuse", "address": "127.0.0.1"}
    assert AuditEntry.objects.get(action="grant.end").detail == detail
    assert isinstance(auditing.verify(), Intact)
    assert "ended early" in as_alba.get(f"{SCREEN}?all=1").content.decode()
