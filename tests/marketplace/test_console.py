"""The console has no login of its own, and counts windows anew."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from marketplace import throttling


@pytest.mark.django_db
def test_stranger_is_led_to_the_sites_login_and_back(client: Client) -> None:
    for address in ("/admin/login/", "/admin/login/?next=/admin/auth/user/"):
        led = client.get(address).headers["Location"]
        assert led.startswith("/accounts/login/?next=")
        assert client.post(address, {"username": "x", "password": "y"}).status_code == 302
    assert client.get("/admin/").headers["Location"] == "/admin/login/?next=/admin/"


@pytest.mark.django_db
def test_consumer_is_refused_by_the_console(client: Client) -> None:
    client.force_login(User.objects.create_user("consumer"))
    assert client.get("/admin/login/").status_code == 403
    assert client.get("/admin/").status_code == 302


def test_window_begins_anew() -> None:
    def asked(now_s: float, client: str = "192.0.2.0/24") -> bool:
        return throttling.allows("act", client, limit=2, window_s=60, now_s=now_s)

    assert [asked(600.0), asked(659.9), asked(659.9)] == [True, True, False]
    assert asked(659.9, "198.51.100.0/24")
    assert asked(660.0)
