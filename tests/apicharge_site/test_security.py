"""The console's headers and cookies, and the keys that settings read."""

import re
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

import environ
import pytest
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import reverse
from pytest_django import Settings

from apicharge_site import state
from apicharge_site.security import CONSOLE_POLICY, POLICY, content_security_policy
from tests import nursery

SEED = "ab" * 32


@pytest.mark.django_db
def test_every_page_carries_the_policy_and_has_nothing_inline(client: Client) -> None:
    client.force_login(User.objects.create_superuser("staff"))
    addresses = ["/", "/llms.txt", "/nope", "/problems/", "/apicharge/v1/quotes"]
    addresses += [reverse("admin:index"), reverse("admin:marketplace_service_add")]
    addresses += [reverse("admin:marketplace_routequote_add"), reverse("admin:auth_user_add")]
    for address in addresses:
        response = client.get(address)
        expected = CONSOLE_POLICY if address.startswith("/admin/") else POLICY
        assert response.headers["Content-Security-Policy"] == expected
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["X-Frame-Options"] == "DENY"
        page = response.content.decode()
        assert re.findall(r"<script(?![^>]* src=| type=.application/ld.json)", page) == []
        assert re.findall(r"\son\w+=\"", page) == []


def test_nonce_is_named_when_a_page_used_it_and_is_another_each_time(rf: RequestFactory) -> None:
    def page(request: HttpRequest) -> HttpResponse:
        used = request.path == "/used"
        return HttpResponse(f"nonce={request.csp_nonce}" if used else "")  # type: ignore[attr-defined]

    respond = content_security_policy(page)
    assert respond(rf.get("/")).headers["Content-Security-Policy"] == POLICY
    answers = [respond(rf.get("/used")) for _ in range(2)]
    for answer in answers:
        nonce = answer.content.decode().removeprefix("nonce=")
        assert f"'nonce-{nonce}'" in answer.headers["Content-Security-Policy"]
    assert answers[0].content != answers[1].content


def test_policy_lets_nothing_in_from_elsewhere() -> None:
    assert "unsafe" not in POLICY
    assert "http" not in POLICY
    assert "*" not in POLICY
    assert CONSOLE_POLICY.removeprefix(POLICY) == " 'unsafe-eval'"


@dataclass(frozen=True)
class Shown:
    returncode: int
    stdout: str
    stderr: str


def settings_of(home: Path, *names: str, **environment: str) -> Shown:
    """What a process of its own reads from this environment."""
    variables = {"APICHARGE_HOME": str(home), "DJANGO_SETTINGS_MODULE": "apicharge_site.settings"}
    with TemporaryFile() as out, TemporaryFile() as errors:
        child = nursery.start(
            "tests.apicharge_site.shown",
            *names,
            environment={**variables, **environment},
            output=out,
            errors=errors,
        )
        status = child.wait(60)
        out.seek(0)
        errors.seek(0)
        return Shown(status, out.read().decode(), errors.read().decode())


def test_cookies_travel_over_https_alone_where_the_site_does(tmp_path: Path) -> None:
    names = ("SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SESSION_COOKIE_HTTPONLY")
    plain = settings_of(tmp_path, *names)
    assert plain.stdout.strip() == "[False, False, True]"
    tls = settings_of(tmp_path, *names, APICHARGE_ORIGIN="https://gw.example")
    assert tls.stdout.strip() == "[True, True, True]"


def test_browsers_are_told_to_come_by_https_where_they_can(
    client: Client, settings: Settings
) -> None:
    settings.HSTS_SECONDS = 60
    assert "Strict-Transport-Security" not in client.get("/robots.txt").headers
    settings.IS_HTTPS = True
    assert client.get("/robots.txt").headers["Strict-Transport-Security"] == "max-age=60"
    settings.HSTS_SECONDS = 0
    assert "Strict-Transport-Security" not in client.get("/robots.txt").headers


def test_gateway_holds_no_signing_key_and_refuses_one(tmp_path: Path) -> None:
    names = ("QUOTE_KEY_SEED", "GRANT_KEY_SEED", "CHANNEL_KEY_SEED")
    bare = settings_of(tmp_path, *names, APICHARGE_ROLE="gateway")
    assert bare.stdout.strip() == "[None, None, None]"
    assert not (tmp_path / "keys" / "quote").exists()
    for name in ("APICHARGE_QUOTE_KEY", "APICHARGE_GRANT_KEY_FILE", "APICHARGE_CHANNEL_KEY"):
        given = settings_of(tmp_path, "ROLE", APICHARGE_ROLE="gateway", **{name: SEED})
        assert given.returncode != 0
        assert name in given.stderr
        assert SEED not in given.stderr


def test_production_makes_no_keys_and_no_sandbox(tmp_path: Path) -> None:
    production = {
        "APICHARGE_PRODUCTION": "1",
        "APICHARGE_SECRET_KEY": "x" * 50,
        "DATABASE_URL": "postgres://a@127.0.0.1/b",
    }
    kinds = ("QUOTE", "GRANT", "CHANNEL")
    keys = {f"APICHARGE_{kind}_KEY": SEED for kind in kinds}
    sandbox = settings_of(tmp_path, "CHAIN", **production, **keys)
    assert "APICHARGE_NETWORK" in sandbox.stderr
    contract = "CBIGZMWIYL5Q4YCSXEZWTUDSESA5A5ECMYEDX6G5LFGFJSPJPT4UIU2O"
    real = {"APICHARGE_NETWORK": "testnet", "APICHARGE_CONTRACT": contract}
    keyless = settings_of(tmp_path, "CHAIN", **production, **real)
    assert "APICHARGE_QUOTE_KEY" in keyless.stderr


def test_production_sends_mails_and_is_reached_by_https(tmp_path: Path) -> None:
    production = {
        "APICHARGE_PRODUCTION": "1",
        "APICHARGE_SECRET_KEY": "x" * 50,
        "DATABASE_URL": "postgres://a@127.0.0.1/b",
        "APICHARGE_NETWORK": "testnet",
        "APICHARGE_ORIGIN": "https://gw.example",
        **{f"APICHARGE_{kind}_KEY": SEED for kind in ("QUOTE", "GRANT", "CHANNEL")},
    }
    plain = {**production, "APICHARGE_ORIGIN": "http://gw.example"}
    said = settings_of(tmp_path, "ORIGIN", APICHARGE_MAIL="consolemail://", **plain)
    assert "APICHARGE_ORIGIN must be https" in said.stderr
    names = ("MAILS_ARE_SENT", "ACCOUNT_EMAIL_VERIFICATION", "DEFAULT_FROM_EMAIL")
    assert "APICHARGE_MAIL" in settings_of(tmp_path, *names, **production).stderr
    sent = settings_of(tmp_path, *names, APICHARGE_MAIL="smtp+tls://a:b@mail.example", **production)
    assert sent.stdout.strip() == "[True, 'mandatory', 'ApiCharge <no-reply@gw.example>']"
    printed = settings_of(tmp_path, *names)
    assert printed.stdout.startswith("[False, 'optional'")


def test_production_shows_no_error_pages(tmp_path: Path) -> None:
    given = {"APICHARGE_PRODUCTION": "1", "APICHARGE_DEBUG": "1"}
    assert "APICHARGE_DEBUG" in settings_of(tmp_path, "DEBUG", **given).stderr


def test_proxies_are_believed_when_they_are_named(tmp_path: Path) -> None:
    assert settings_of(tmp_path, "TRUSTED_PROXIES").stdout.strip() == "[()]"
    named = settings_of(tmp_path, "TRUSTED_PROXIES", APICHARGE_TRUSTED_PROXIES="10.1.0.0/24,::1")
    assert named.stdout.strip() == "[(IPv4Network('10.1.0.0/24'), IPv6Network('::1/128'))]"
    wrong = settings_of(tmp_path, "TRUSTED_PROXIES", APICHARGE_TRUSTED_PROXIES="0.0.0.0/0")
    assert "APICHARGE_TRUSTED_PROXIES" in wrong.stderr


def test_every_directory_that_is_made_is_the_owners_alone(tmp_path: Path) -> None:
    state.directory(tmp_path / "home" / "static")
    modes = [(tmp_path / place).stat().st_mode & 0o777 for place in ("home", "home/static")]
    assert modes == [0o700, 0o700]


def test_seed_comes_from_the_environment_a_named_file_or_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = environ.Env()
    made = state.seed(tmp_path, "quote", env, production=False)
    assert state.seed(tmp_path, "quote", env, production=False).reveal() == made.reveal()
    assert (tmp_path / "keys" / "quote").stat().st_mode & 0o077 == 0
    named = tmp_path / "named"
    named.write_text(SEED + "\n")
    monkeypatch.setenv("APICHARGE_QUOTE_KEY_FILE", str(named))
    assert state.seed(tmp_path, "quote", env, production=True).reveal() == SEED
    monkeypatch.setenv("APICHARGE_QUOTE_KEY", "cd" * 32)
    assert state.seed(tmp_path, "quote", env, production=True).reveal() == "cd" * 32


@pytest.mark.parametrize("bad", ["ab" * 31, "AB" * 32, "zz" * 32, "ab" * 33])
def test_malformed_seed_is_refused_without_showing_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad: str
) -> None:
    monkeypatch.setenv("APICHARGE_QUOTE_KEY", bad)
    with pytest.raises(state.Misconfigured) as caught:
        state.seed(tmp_path, "quote", environ.Env(), production=False)
    assert bad not in str(caught.value)


def test_secret_does_not_show_itself() -> None:
    secret = state.Secret(SEED)
    assert SEED not in f"{secret} {secret!r} {[secret]} {vars(secret).keys()}"
    assert secret.reveal() == SEED


def test_unpaid_calls_are_bounded_as_the_setting_says(tmp_path: Path) -> None:
    default = settings_of(tmp_path, "UNPAID_CALLS")
    assert default.stdout.strip() == "[Pace(count=3000, window_s=60)]"
    none = settings_of(tmp_path, "UNPAID_CALLS", APICHARGE_UNPAID_CALLS="")
    assert none.stdout.strip() == "[None]"
    for wrong in ("60", "0/60", "60/0", "-1/60", "60/60/60", "a/b"):
        said = settings_of(tmp_path, "UNPAID_CALLS", APICHARGE_UNPAID_CALLS=wrong)
        assert "APICHARGE_UNPAID_CALLS must be" in said.stderr


def test_metrics_token_does_not_show_itself(tmp_path: Path) -> None:
    assert settings_of(tmp_path, "METRICS_TOKEN").stdout.strip() == "[None]"
    given = settings_of(tmp_path, "METRICS_TOKEN", APICHARGE_METRICS_TOKEN="f" * 32)
    assert given.stdout.strip() == "[Secret(…)]"
    named = tmp_path / "token"
    named.write_text("e" * 32 + "\n")
    file = settings_of(tmp_path, "METRICS_TOKEN", APICHARGE_METRICS_TOKEN_FILE=str(named))
    assert file.stdout.strip() == "[Secret(…)]"
    short = settings_of(tmp_path, "METRICS_TOKEN", APICHARGE_METRICS_TOKEN="short5hort")
    assert "APICHARGE_METRICS_TOKEN must be" in short.stderr
    assert "short5hort" not in short.stderr
