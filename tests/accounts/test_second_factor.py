"""Codes, recovery codes, and acts that ask for one anew."""

import time
from collections.abc import Callable

import pytest
from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY
from allauth.core.exceptions import ReauthenticationRequired
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from pytest_django import Settings

from accounts import sealing, second_factor
from tests.accounts.people import PASSWORD, log_in, somebody

pytestmark = pytest.mark.django_db
SEED = "JBSWY3DPEHPK3PXP"


def code(seed: str = SEED) -> str:
    return str(format_hotp_value(hotp_value(seed, int(time.time()) // 30)))


@pytest.fixture
def ada() -> User:
    """Who has an authenticator app and recovery codes."""
    user = somebody("ada")
    TOTP.activate(user, SEED)
    RecoveryCodes.activate(user)
    return user


def with_password(client: Client, login: str = "ada") -> None:
    said = client.post("/accounts/login/", {"login": login, "password": PASSWORD})
    assert said.headers["Location"] == "/accounts/2fa/authenticate/"


def inside(client: Client) -> bool:
    return client.get("/accounts/").status_code == 200


def give(client: Client, given: str) -> None:
    client.post("/accounts/2fa/authenticate/", {"code": given})


def test_password_alone_does_not_log_in(ada: User, client: Client) -> None:
    with_password(client)
    assert not inside(client)
    give(client, "000000" if code() != "000000" else "000001")
    assert not inside(client)
    give(client, code())
    assert inside(client)


def test_code_works_once(ada: User) -> None:
    first, second = Client(), Client()
    given = code()
    for client in (first, second):
        with_password(client)
        give(client, given)
    assert (inside(first), inside(second)) == (True, False)


def test_recovery_code_works_once(ada: User) -> None:
    given = Authenticator.objects.get(type="recovery_codes").wrap().get_unused_codes()[0]
    first, second = Client(), Client()
    for client in (first, second):
        with_password(client)
        give(client, given)
    assert (inside(first), inside(second)) == (True, False)


def test_codes_are_tried_a_few_times_whatever_the_network(ada: User) -> None:
    for number in range(10):
        client = Client(REMOTE_ADDR=f"198.51.{number}.7")
        with_password(client)
        give(client, "999999" if code() != "999999" else "999998")
    client = Client(REMOTE_ADDR="203.0.113.7")
    with_password(client)
    give(client, code())
    assert not inside(client)


def test_stranger_who_fails_by_name_locks_nobody_out() -> None:
    somebody("ada")
    for number in range(12):
        log_in("ada", f"guess {number}", address="198.51.100.7")
    assert b"Too many" in log_in("ada", address="198.51.100.7").content
    assert log_in("ada", address="203.0.113.7").status_code == 302


def test_console_asks_for_the_code_too(client: Client) -> None:
    staff = User.objects.create_superuser("staff", password=PASSWORD)
    TOTP.activate(staff, SEED)
    with_password(client, "staff")
    assert client.get("/admin/").status_code == 302
    give(client, code())
    assert client.get("/admin/").status_code == 200


def test_app_is_set_up_after_the_password_again_and_gives_recovery_codes(client: Client) -> None:
    client.force_login(somebody("ada"))
    assert (
        client.get("/accounts/2fa/totp/activate/")
        .headers["Location"]
        .startswith("/accounts/reauthenticate/")
    )
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    page = client.get("/accounts/2fa/totp/activate/")
    seed = page.context["form"].secret
    assert seed.encode() in page.content
    client.post("/accounts/2fa/totp/activate/", {"code": code(seed)})
    kept = Authenticator.objects.get(type="totp").data["secret"]
    assert seed not in kept
    assert sealing.opened(kept) == seed
    codes = Authenticator.objects.get(type="recovery_codes").wrap().get_unused_codes()
    assert len(codes) == 10
    assert codes[0].encode() in client.get("/accounts/2fa/recovery-codes/").content


@pytest.mark.parametrize(
    "path", ["", "totp/activate/", "totp/deactivate/", "webauthn/", "recovery-codes/generate/"]
)
def test_stranger_sees_no_page_of_it(client: Client, path: str) -> None:
    said = client.get(f"/accounts/2fa/{path}")
    assert said.headers["Location"].startswith("/accounts/login/")


def test_seed_that_another_key_sealed_is_not_read(settings: Settings) -> None:
    sealed = sealing.seal(SEED)
    assert sealed != sealing.seal(SEED)
    settings.SECRET_KEY = "another" * 8
    for unreadable in (sealed, "AAAA", ""):
        with pytest.raises(sealing.Unreadable):
            sealing.opened(unreadable)


class Heard:
    def add(self, *_said: object) -> None: ...


Ask = Callable[..., HttpResponse]


@pytest.fixture
def ask(rf: RequestFactory) -> Ask:
    """Do what asks for a second factor, with these records of the session."""

    @second_factor.required
    def act(request: HttpRequest) -> HttpResponse:
        return HttpResponse("done")

    def asked(user: User | AnonymousUser, *records: dict[str, object]) -> HttpResponse:
        request = rf.post("/")
        request.user = user
        request._messages = Heard()  # type: ignore[attr-defined]
        request.session = {  # type: ignore[assignment]
            AUTHENTICATION_METHODS_SESSION_KEY: list(records),
            f"{AUTHENTICATION_METHODS_SESSION_KEY}_user": str(user.pk),
        }
        return act(request)

    return asked


def shown(method: str, ago_s: float = 1) -> dict[str, object]:
    return {"method": method, "at": time.time() - ago_s}


def test_act_is_done_after_what_is_asked_for(ask: Ask, ada: User) -> None:
    assert ask(ada, shown("password"), shown("mfa")).content == b"done"
    assert ask(somebody("bob"), shown("password")).content == b"done"


def test_act_is_not_done_without(ask: Ask, ada: User) -> None:
    bob, late = somebody("bob"), second_factor.RECENT_SECONDS + 1
    refused: list[tuple[User | AnonymousUser, list[dict[str, object]]]] = [
        (AnonymousUser(), []),
        (ada, []),
        (ada, [shown("password")]),
        (ada, [shown("mfa", late)]),
        (ada, [shown("mfa", -late)]),
        (bob, []),
        (bob, [shown("password", late)]),
    ]
    for user, records in refused:
        with pytest.raises(ReauthenticationRequired):
            ask(user, *records)


def test_account_with_nothing_to_confirm_by_sets_something_up_first(ask: Ask) -> None:
    carol = User.objects.create_user("carol")
    assert ask(carol).headers["Location"] == "/accounts/2fa/"
    assert ask(carol, shown("wallet")).content == b"done"
    assert ask(somebody("dora"), shown("password")).content == b"done"
    with pytest.raises(ReauthenticationRequired):
        ask(somebody("erik"), shown("wallet"))
