from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from gateway.models import RecentCall, UsageMinute
from tests.marketplace.admin.people import People

AT = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)
PAGES = ["usageminute", "recentcall"]


@pytest.fixture
def used(people: People) -> list[UsageMinute | RecentCall]:
    """Of Alba's: a minute with a refusal, and a call."""
    minute = UsageMinute.objects.create(
        minute=AT,
        grant="a1ba" * 16,
        route="alba-weather/alba-day",
        provider=people.alba.pk,
        calls=1234,
        refusals={"rate-exceeded": 7},
        latencies=[0, 0, 0, 1000, 234],
    )
    call = RecentCall.objects.create(
        at=AT,
        grant="a1ba" * 16,
        route="alba-weather/alba-day",
        provider=people.alba.pk,
        method="GET",
        path="/alba",
        status=200,
        end="completed",
        bytes_up=1,
        bytes_down=2,
        credits=3,
        messages=0,
        answered_in_ms=8,
    )
    return [minute, call]


def listed(client: Client, page: str) -> str:
    response = client.get(reverse(f"admin:gateway_{page}_changelist"))
    assert response.status_code == 200
    return response.content.decode()


def test_provider_sees_what_was_called_and_refused(
    people: People, used: list[UsageMinute | RecentCall]
) -> None:
    shown = listed(people.as_alba, "usageminute")
    assert "alba-weather/alba-day" in shown
    assert "1234" in shown.replace(",", "")
    assert "rate-exceeded: 7" in shown
    assert "10 ms" in shown
    assert "/alba" in listed(people.as_alba, "recentcall")
    assert "alba-weather/alba-day" in listed(people.as_staff, "usageminute")
    assert "usageminute" in people.as_alba.get(reverse("admin:index")).content.decode()


@pytest.mark.parametrize("page", PAGES)
def test_another_provider_sees_none_of_it(
    people: People, used: list[UsageMinute | RecentCall], page: str
) -> None:
    assert "alba" not in listed(people.as_bruno, page)
    [row] = [row for row in used if row._meta.model_name == page]
    address = reverse(f"admin:gateway_{page}_change", args=[row.pk])
    assert people.as_bruno.get(address).status_code == 302
    assert people.as_alba.get(address).status_code == 200


def test_user_who_sells_nothing_and_the_stranger_see_none_of_it(
    client: Client, people: People, used: list[UsageMinute | RecentCall]
) -> None:
    client.force_login(User.objects.create_user("nobody", is_staff=True))
    for page in PAGES:
        address = reverse(f"admin:gateway_{page}_changelist")
        assert client.get(address).status_code == 403
        assert Client().get(address).status_code == 302


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("who", ["as_alba", "as_staff"])
def test_nobody_changes_it(
    people: People, used: list[UsageMinute | RecentCall], page: str, who: str
) -> None:
    client: Client = getattr(people, who)
    [row] = [row for row in used if row._meta.model_name == page]
    for act, arguments in (("add", []), ("change", [row.pk]), ("delete", [row.pk])):
        address = reverse(f"admin:gateway_{page}_{act}", args=arguments)
        assert client.post(address, {"post": "yes", "calls": 0}).status_code == 403
    row.refresh_from_db()
