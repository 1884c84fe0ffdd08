"""Organisations: founded, joined by a link that works once, left. Nothing of one leaks."""

import re
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.core import mail, signing
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from accounts import inviting, memberships
from accounts.models import Invitation, Membership, Organisation
from tests.accounts.people import link_of_last_mail, somebody

pytestmark = pytest.mark.django_db
HOME = "/accounts/organisations/acme/"


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def ada() -> Client:
    """Who owns Acme."""
    client = client_of(somebody("ada"))
    said = client.post("/accounts/organisations/", {"name": "Acme", "slug": "acme"})
    assert said.headers["Location"] == HOME
    return client


@pytest.fixture
def bob() -> Client:
    return client_of(somebody("bob"))


def invite(ada: Client, email: str = "bob@example.org", role: str = "member") -> str:
    """The path of the link that was mailed."""
    assert ada.post(HOME, {"email": email, "role": role}).status_code == 302
    assert mail.outbox[-1].to == [email]
    return urlsplit(link_of_last_mail()).path


def names(user: str) -> list[str]:
    return [str(each) for each in memberships.organisations_of(User.objects.get(username=user))]


def test_invited_joins_and_belongs(ada: Client, bob: Client) -> None:
    link = invite(ada)
    assert names("bob") == []
    assert b"Acme" in bob.get(link).content
    assert names("bob") == []
    assert bob.post(link).status_code == 302
    assert names("bob") == names("ada") == ["Acme"]
    assert b"ada" in bob.get(HOME).content
    assert list(memberships.organisations_of(AnonymousUser())) == []


def test_account_that_was_shut_belongs_to_nothing(ada: Client) -> None:
    user = User.objects.get(username="ada")
    user.is_active = False
    assert list(memberships.organisations_of(user)) == []


def test_link_works_once(ada: Client, bob: Client) -> None:
    link = invite(ada)
    bob.post(link)
    carol = client_of(somebody("carol"))
    assert carol.get(link).status_code == 404
    assert carol.post(link).status_code == 404
    assert names("carol") == []


def test_of_two_who_accept_at_once_one_is_first(ada: Client) -> None:
    now, carol, dave = timezone.now(), somebody("carol"), somebody("dave")
    invite(ada)
    read = Invitation.objects.get()
    assert inviting.accept(read, carol, now=now)
    assert not inviting.accept(read, dave, now=now)
    assert names("dave") == []


def test_revoked_link_and_old_link_are_over(ada: Client, bob: Client) -> None:
    revoked = invite(ada)
    row = Invitation.objects.get()
    assert ada.post(f"{HOME}invitations/{row.pk}/revoke/").status_code == 302
    assert bob.post(revoked).status_code == 404
    old = invite(ada)
    Invitation.objects.filter(revoked_at=None).update(expires_at=timezone.now())
    assert bob.post(old).status_code == 404
    assert names("bob") == []


def test_link_of_our_making_alone_is_read(ada: Client, bob: Client) -> None:
    invite(ada)
    row, now = Invitation.objects.get(), timezone.now()
    forged = [signing.dumps(row.pk), signing.dumps(row.pk, key="other", salt=inviting.SALT), "x"]
    for token in forged:
        assert bob.post(f"/accounts/invitations/{token}/").status_code == 404
        assert inviting.read(token, now=now) is None
    assert Client().get(f"/accounts/invitations/{forged[0]}/").status_code == 302


def test_member_who_accepts_again_keeps_the_role(ada: Client) -> None:
    ada.post(invite(ada, "ada@example.org"))
    assert Membership.objects.get().role == "owner"


def test_last_owner_stays_and_others_leave(ada: Client, bob: Client) -> None:
    assert b"last owner" in ada.post(f"{HOME}leave/", follow=True).content
    assert names("ada") == ["Acme"]
    bob.post(invite(ada, role="owner"))
    ada.post(f"{HOME}leave/")
    assert (names("ada"), names("bob")) == ([], ["Acme"])
    assert ada.get(HOME).status_code == 404


def test_owner_removes_and_member_may_not(ada: Client, bob: Client) -> None:
    bob.post(invite(ada))
    owner, member = Membership.objects.order_by("pk")
    assert bob.post(f"{HOME}members/{owner.pk}/remove/").status_code == 404
    assert bob.post(HOME, {"email": "x@example.org", "role": "owner"}).status_code == 404
    assert ada.post(f"{HOME}members/{member.pk}/remove/").status_code == 302
    assert names("bob") == []
    assert bob.get(HOME).status_code == 404


def test_others_see_and_touch_nothing(ada: Client, bob: Client) -> None:
    invite(ada)
    row, owner = Invitation.objects.get(), Membership.objects.get()
    paths = ["", "leave/", f"members/{owner.pk}/remove/", f"invitations/{row.pk}/revoke/"]
    for path in paths:
        assert bob.post(HOME + path).status_code == 404
        assert Client().post(HOME + path).headers["Location"].startswith("/accounts/login/")
    assert bob.get(HOME).status_code == 404
    assert b"Acme" not in bob.get("/accounts/organisations/").content
    row.refresh_from_db()
    assert row.revoked_at is None


def test_row_of_another_organisation_is_not_reached_through_ones_own(
    ada: Client, bob: Client
) -> None:
    invite(ada)
    bob.post("/accounts/organisations/", {"name": "Bobs", "slug": "bobs"})
    row, owner = Invitation.objects.get(), Membership.objects.get(organisation__slug="acme")
    own = "/accounts/organisations/bobs/"
    assert bob.post(f"{own}invitations/{row.pk}/revoke/").status_code == 404
    assert bob.post(f"{own}members/{owner.pk}/remove/").status_code == 404


def test_member_sees_neither_addresses_nor_links(ada: Client, bob: Client) -> None:
    bob.post(invite(ada))
    invite(ada, "carol@example.org")
    seen = bob.get(HOME).content
    assert b"@example.org" not in seen
    assert b"/accounts/invitations/" not in seen


def test_invitations_of_an_hour_are_limited(ada: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inviting, "PER_ORGANISATION_HOUR", 1)
    invite(ada)
    said = ada.post(HOME, {"email": "carol@example.org", "role": "member"})
    assert b"wait a while" in said.content
    assert len(mail.outbox) == 1
    Invitation.objects.update(created_at=timezone.now() - timedelta(hours=1))
    invite(ada)


def test_mail_server_that_is_away_leaves_the_link_to_hand_over(
    ada: Client, settings: Settings
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    said = ada.post(HOME, {"email": "bob@example.org", "role": "member"}, follow=True)
    assert b"could not be sent" in said.content
    link = re.search(r"/accounts/invitations/[^/]+/", said.content.decode())
    assert link
    assert b"Acme" in client_of(somebody("bob")).get(link[0]).content


def test_name_that_is_taken_and_too_many_are_refused(
    ada: Client, bob: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bob.post("/accounts/organisations/", {"name": "A", "slug": "acme"}).status_code == 200
    monkeypatch.setattr(memberships, "ORGANISATIONS_MAX", 1)
    assert ada.post("/accounts/organisations/", {"name": "B", "slug": "b"}).status_code == 200
    assert Organisation.objects.count() == 1


def test_founder_can_be_written_to(settings: Settings) -> None:
    settings.MAILS_ARE_SENT = True
    client = client_of(somebody("ada", verified=False))
    said = client.post("/accounts/organisations/", {"name": "Acme", "slug": "acme"})
    assert said.status_code == 200
    assert not Organisation.objects.exists()


def test_page_of_many_members_is_few_queries(
    ada: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    acme = Organisation.objects.get()
    for number in range(30):
        user = User.objects.create_user(f"member{number}")
        Membership.objects.create(organisation=acme, user=user)
    for number in range(5):
        invite(ada, f"new{number}@example.org")
    with django_assert_max_num_queries(10):
        page = ada.get(HOME).content.decode()
    assert page.count(">Remove<") == 30
