"""Sessions that are over leave no rows."""

from datetime import timedelta

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from apicharge_site.tasks import forget_sessions
from tests.accounts.people import PASSWORD, somebody


@pytest.mark.django_db
def test_session_that_is_over_is_forgotten_and_another_goes_on() -> None:
    somebody("ada")
    over, on = Client(), Client()
    for client in (over, on):
        client.post("/accounts/login/", {"login": "ada", "password": PASSWORD})
    key = over.session.session_key
    Session.objects.filter(pk=key).update(expire_date=timezone.now() - timedelta(seconds=1))
    forget_sessions()
    assert not Session.objects.filter(pk=key).exists()
    assert [each.session_key for each in UserSession.objects.all()] == [on.session.session_key]
    assert on.get("/accounts/").status_code == 200
