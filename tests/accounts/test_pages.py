"""Whose pages these are, what the menu says, and what a page costs."""

import re

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from tests.accounts.people import somebody

pytestmark = pytest.mark.django_db
OWN = ["/accounts/", "/accounts/email/", "/accounts/password/change/", "/accounts/sessions/"]
OWN += ["/accounts/2fa/", "/accounts/2fa/webauthn/"]
OPEN = ["/accounts/login/", "/accounts/signup/", "/accounts/password/reset/", "/sell/"]


@pytest.mark.parametrize("address", OWN)
def test_stranger_is_asked_to_log_in(client: Client, address: str) -> None:
    said = client.get(address)
    assert said.status_code == 302
    assert said.headers["Location"] == f"/accounts/login/?next={address}"


@pytest.mark.parametrize("address", [*OWN, "/sell/"])
def test_own_page_is_shown_without_many_queries_and_shows_nobody_else(
    client: Client, address: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    somebody("bob")
    client.force_login(somebody("ada"))
    with django_assert_max_num_queries(10):
        page = client.get(address).content.decode()
    assert ">ada</span>" in page
    assert "bob" not in page


@pytest.mark.parametrize("address", [*OWN, *OPEN])
def test_page_has_no_script_or_style_of_its_own(client: Client, address: str) -> None:
    if address in OWN:
        client.force_login(somebody("ada"))
    page = client.get(address).content.decode()
    scripts = re.findall(r"<script(?![^>]* src=)[^>]*>", page)
    assert [tag for tag in scripts if 'type="application/json"' not in tag] == []
    assert re.findall(r"\sstyle=|\son\w+=\"", page) == []
    assert re.findall(r"<input(?![^>]*type=\"hidden\")(?![^>]*id=)[^>]*>", page) == []


def test_menu_leads_where_one_may_go(client: Client) -> None:
    stranger = client.get("/").content.decode()
    assert "Log in" in stranger
    assert "Sign up" in stranger
    client.force_login(somebody("ada"))
    consumer = client.get("/").content.decode()
    assert "Log out" in consumer
    assert "/sell/" in consumer
    assert "/admin/" not in consumer
    client.force_login(User.objects.create_superuser("staff"))
    assert "/admin/" in client.get("/").content.decode()


def test_logging_out_takes_a_press_and_not_a_link(client: Client) -> None:
    client.force_login(somebody("ada"))
    assert client.get("/accounts/logout/").status_code == 200
    assert client.get("/accounts/").status_code == 200
    assert client.post("/accounts/logout/").headers["Location"] == "/"
    assert client.get("/accounts/").status_code == 302


def test_form_without_its_token_is_refused_on_a_page_that_says_why() -> None:
    client = Client(enforce_csrf_checks=True)
    said = client.post("/accounts/login/", {"login": "a", "password": "b"})
    assert said.status_code == 403
    assert b"Please send that again" in said.content


def test_session_alone_changes_no_address(client: Client) -> None:
    user = somebody("ada")
    client.force_login(user)
    said = client.post("/accounts/email/", {"action_add": "", "email": "thief@example.org"})
    assert said.headers["Location"].startswith("/accounts/reauthenticate/")
    client.post("/accounts/email/", {"action_remove": "", "email": user.email})
    assert [each.email for each in EmailAddress.objects.all()] == [user.email]
