"""What staff sees of logins: enough to end one, and nothing to log in with."""

import pytest
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import User
from django.db.models import Model
from django.test import Client

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("staff"))
    return client


def test_no_secret_of_a_login_is_shown_and_it_may_be_ended(staff: Client) -> None:
    ada = User.objects.create_user("ada")
    rows: list[Model] = [
        Authenticator.objects.create(user=ada, type="totp", data={"secret": "s3cret"}),
        UserSession.objects.create(user=ada, ip="10.0.0.1", session_key="s3cret", data={}),
    ]
    for row in rows:
        listed = f"/admin/{row._meta.app_label}/{row._meta.model_name}/"
        for address in (listed, f"{listed}{row.pk}/change/"):
            page = staff.get(address)
            assert page.status_code == 200
            assert b"ada" in page.content
            assert b"s3cret" not in page.content
        assert staff.get(f"{listed}add/").status_code == 403
        assert staff.post(f"{listed}{row.pk}/delete/", {"post": "yes"}).status_code == 302
        assert not type(row)._default_manager.filter(pk=row.pk).exists()
