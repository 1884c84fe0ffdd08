"""Logging in, signing up and asking for a new password: led nowhere else, and not often."""

from urllib.parse import urlsplit

import pytest
from django.conf import settings as site
from django.contrib.auth.models import User
from django.core import mail
from django.test import Client
from pytest_django import Settings

from tests.accounts.people import PASSWORD, link_of_last_mail, log_in, somebody

pytestmark = pytest.mark.django_db
ELSEWHERE = ["https://evil.example/", "//evil.example", "/\\evil.example"]


def test_address_and_name_log_in() -> None:
    somebody("ada")
    for login in ("ada", "ada@example.org", "ADA@example.org"):
        said = log_in(login)
        assert (said.status_code, said.headers["Location"]) == (302, "/account/")
    assert log_in("ada", "guess").status_code == 200


def test_staff_are_led_to_the_console() -> None:
    User.objects.create_superuser("staff", password=PASSWORD)
    assert log_in("staff").headers["Location"] == "/admin/"
    assert log_in("staff", to="/admin/auth/user/").headers["Location"] == "/admin/auth/user/"


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
def test_login_leads_nowhere_else(elsewhere: str) -> None:
    somebody("ada")
    assert log_in("ada", to=elsewhere).headers["Location"] == "/account/"


def test_logins_of_a_network_are_limited_and_nobody_elses(settings: Settings) -> None:
    settings.ACCOUNT_RATE_LIMITS = {"login": "3/5m/ip", "login_failed": "3/5m/ip"}
    somebody("ada")
    assert [log_in("ada", "guess").status_code for _ in range(3)] == [200] * 3
    refused = log_in("ada", address="192.0.2.99")
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0
    assert "sessionid" not in refused.cookies
    assert log_in("ada", address="198.51.100.7").status_code == 302
    assert Client(REMOTE_ADDR="192.0.2.7").get("/accounts/login/").status_code == 200


def test_caller_without_an_address_does_not_log_in() -> None:
    somebody("ada")
    assert log_in("ada", address="").status_code == 403


def test_site_limits_logins_as_documented() -> None:
    limits = site.ACCOUNT_RATE_LIMITS
    assert limits["login"] == "30/5m/ip"
    assert limits["login_failed"] == "30/5m/ip,10/5m/key"


def sign_up(client: Client, **changed: str) -> int:
    form = {"email": "new@example.org", "password1": PASSWORD, **changed}
    return client.post("/accounts/signup/", form).status_code


def test_new_account_confirms_its_address_before_it_logs_in(
    client: Client, settings: Settings
) -> None:
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    assert sign_up(client) == 302
    assert "_auth_user_id" not in client.session
    link = link_of_last_mail()
    assert link.startswith(f"{site.ORIGIN}/accounts/confirm-email/")
    assert log_in("new@example.org").headers["Location"] == "/accounts/confirm-email/"
    asked = client.get(urlsplit(link).path)
    assert b"new@example.org" in asked.content
    assert client.post(urlsplit(link).path).status_code == 302
    assert log_in("new@example.org").headers["Location"] == "/account/"
    assert not User.objects.get(email="new@example.org").is_staff


def test_sign_up_does_not_tell_who_has_an_account(client: Client, settings: Settings) -> None:
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    somebody("ada")
    taken = client.post("/accounts/signup/", {"email": "ada@example.org", "password1": PASSWORD})
    fresh = client.post("/accounts/signup/", {"email": "new@example.org", "password1": PASSWORD})
    assert taken.status_code == fresh.status_code == 302
    assert taken.headers["Location"] == fresh.headers["Location"]
    assert User.objects.count() == 2


def test_account_without_an_address_has_none_to_confirm(settings: Settings) -> None:
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    User.objects.create_user("operator", password=PASSWORD)
    assert log_in("operator").headers["Location"] == "/account/"


@pytest.mark.parametrize("password", ["short", "aaaaaaaaaaaa1"[:11], "password1234"])
def test_weak_password_is_refused(client: Client, password: str) -> None:
    assert sign_up(client, password1=password) == 200
    assert not User.objects.exists()


def test_sign_ups_of_a_network_are_limited(client: Client, settings: Settings) -> None:
    settings.ACCOUNT_RATE_LIMITS = {"signup": "2/5m/ip"}
    said = [sign_up(client, email=f"{n}@example.org", password1="short") for n in range(3)]
    assert said == [200, 200, 429]


def test_password_is_reset_once_by_a_link_to_our_own_address(client: Client) -> None:
    user = somebody("ada")
    form = {"email": "ada@example.org"}
    client.post("/accounts/password/reset/", form, headers={"host": "evil.example"})
    link = link_of_last_mail()
    assert link.startswith(f"{site.ORIGIN}/accounts/password/reset/key/")
    assert "evil" not in f"{mail.outbox[-1].subject}{mail.outbox[-1].body}"
    led = client.get(urlsplit(link).path).headers["Location"]
    new = {"password1": "another good one", "password2": "another good one"}
    assert client.post(led, new).status_code == 302
    user.refresh_from_db()
    assert user.check_password("another good one")
    assert b"invalid" in Client().get(urlsplit(link).path).content


def test_mail_server_that_is_away_breaks_no_page(
    client: Client, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    assert sign_up(client) == 302
    assert User.objects.filter(email="new@example.org").exists()
    assert "was not taken" in caplog.text


def test_stranger_named_in_a_reset_gets_no_mail(client: Client) -> None:
    said = client.post("/accounts/password/reset/", {"email": "nobody@example.org"})
    assert said.status_code == 302
    assert mail.outbox == []


def test_session_is_listed_by_its_network_and_others_are_ended() -> None:
    somebody("ada")
    here, there = Client(REMOTE_ADDR="192.0.2.7"), Client(REMOTE_ADDR="198.51.100.9")
    for client in (here, there):
        client.post("/accounts/login/", {"login": "ada", "password": PASSWORD})
    page = here.get("/accounts/sessions/").content.decode()
    assert "198.51.100.0" in page
    assert "198.51.100.9" not in page
    here.post("/accounts/sessions/")
    assert there.get("/accounts/").status_code == 302
    assert here.get("/accounts/").status_code == 200
