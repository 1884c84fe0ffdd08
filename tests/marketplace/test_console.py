"""Guessing at a password is slow, from wherever it is done."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client

from marketplace import console, throttling

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _nobody_has_asked_yet() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def log_in(password: str, address: str = "192.0.2.7") -> HttpResponse:
    form = {"username": "staff", "password": password}
    return Client(REMOTE_ADDR=address).post("/admin/login/?next=/admin/", form)  # type: ignore[return-value]


@pytest.mark.django_db
def test_logins_of_a_network_are_limited_and_nobody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "LOGINS_PER_NETWORK", 3)
    User.objects.create_superuser("staff", password=PASSWORD)
    assert [log_in("guess").status_code for _ in range(3)] == [200] * 3
    refused = log_in(PASSWORD, "192.0.2.99")
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0
    assert "sessionid" not in refused.cookies
    assert log_in(PASSWORD, "198.51.100.7").status_code == 302


@pytest.mark.django_db
def test_login_page_is_shown_to_who_may_not_log_in_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "LOGINS_PER_NETWORK", 0)
    assert log_in("guess").status_code == 429
    assert Client().get("/admin/login/").status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example", "/\\evil.example"]
)
def test_login_leads_nowhere_else(elsewhere: str) -> None:
    User.objects.create_superuser("staff", password=PASSWORD)
    form = {"username": "staff", "password": PASSWORD, "next": elsewhere}
    answer = Client().post("/admin/login/", form)
    assert answer.headers["Location"].startswith("/admin/")


def test_window_begins_anew() -> None:
    def asked(now_s: float, client: str = "192.0.2.0/24") -> bool:
        return throttling.allows("act", client, limit=2, window_s=60, now_s=now_s)

    assert [asked(600.0), asked(659.9), asked(659.9)] == [True, True, False]
    assert asked(659.9, "198.51.100.0/24")
    assert asked(660.0)
