"""Somebody with an account, and the mail that they got."""

import re

from allauth.account.models import EmailAddress
from django.contrib.auth.models import User
from django.core import mail
from django.http import HttpResponse
from django.test import Client

PASSWORD = "correct horse battery"


def somebody(name: str, *, verified: bool = True) -> User:
    user = User.objects.create_user(name, f"{name}@example.org", PASSWORD)
    EmailAddress.objects.create(user=user, email=user.email, verified=verified, primary=True)
    return user


def log_in(
    login: str, password: str = PASSWORD, *, address: str = "192.0.2.7", to: str = ""
) -> HttpResponse:
    form = {"login": login, "password": password, "next": to}
    client = Client(REMOTE_ADDR=address)
    return client.post("/accounts/login/", form)  # type: ignore[return-value]


def link_of_last_mail() -> str:
    found = re.search(r"https?://\S+", str(mail.outbox[-1].body))
    assert found is not None, mail.outbox[-1].body
    return found[0]
