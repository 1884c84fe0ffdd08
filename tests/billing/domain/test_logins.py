"""Literal texts and tokens: what a wallet shows, and what a stranger may try."""

import base64
import json
from dataclasses import replace

import pytest
from stellar_sdk import Keypair

from billing.domain.logins import Login, Text, read_text, read_token, signed_by, token
from gateway.domain import ed25519

SECRET, KEY = bytes(32), bytes([1]) * 32
PUBLIC = ed25519.public_key(KEY)
HOLDER = Keypair.from_raw_ed25519_seed(bytes([2]) * 32)
TEXT = Text("gw.example", HOLDER.public_key, "testnet", "ab" * 16, 1_800_000_000)
LOGIN = Login("https://gw.example", HOLDER.public_key, "id", 1_800_000_000, 1_800_003_600)


def read(written: str) -> Text | None:
    return read_text(written, SECRET, domain="gw.example", network="testnet")


def test_text_says_who_asks_whom_and_that_it_costs_nothing() -> None:
    lines = TEXT.written(SECRET).split("\n")
    assert lines[0] == "gw.example asks you to prove that you hold this account:"
    assert lines[1] == HOLDER.public_key
    assert lines[3:5] == ["It moves no money and costs nothing.", "Network: testnet"]
    assert lines[-1] == "Until: 1800000000"
    assert read(TEXT.written(SECRET)) == TEXT


@pytest.mark.parametrize(
    "other",
    [
        replace(TEXT, account=Keypair.from_raw_ed25519_seed(KEY).public_key),
        replace(TEXT, until_s=1_900_000_000),
        replace(TEXT, nonce="ac" * 16),
    ],
)
def test_text_that_was_changed_is_not_ours(other: Text) -> None:
    mac = TEXT.written(SECRET).split("\n")[5][-32:]
    lines = other.written(SECRET).split("\n")
    lines[5] = lines[5][:-32] + mac
    assert read("\n".join(lines)) is None


@pytest.mark.parametrize("changes", [{"domain": "evil.example"}, {"network": "pubnet"}])
def test_text_of_another_place_is_not_ours(changes: dict[str, str]) -> None:
    assert read(replace(TEXT, **changes).written(SECRET)) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("written", ["", "x", f"{TEXT.written(SECRET)}\n", TEXT.written(KEY)])
def test_other_text_is_not_ours(written: str) -> None:
    assert read(written) is None


def test_signature_is_the_one_that_sep_53_makes() -> None:
    written = TEXT.written(SECRET)
    signature = HOLDER.sign_message(written)
    key = HOLDER.raw_public_key()
    assert signed_by(key, written, signature)
    assert not signed_by(key, f"{written} ", signature)
    assert not signed_by(PUBLIC, written, signature)


def made(login: Login = LOGIN, key: bytes = KEY) -> str:
    return token(login, lambda message: ed25519.sign(key, message))


def who(text: str, now_s: float = LOGIN.issued_at) -> Login | None:
    return read_token(text, PUBLIC, issuer="https://gw.example", now_s=now_s)


def test_token_says_who_until_it_expires() -> None:
    assert who(made()) == LOGIN
    assert who(made(), now_s=LOGIN.expires_at - 0.1) == LOGIN
    assert who(made(), now_s=LOGIN.expires_at) is None


def test_token_of_another_key_or_issuer_is_refused() -> None:
    assert who(made(key=SECRET)) is None
    assert who(made(replace(LOGIN, issuer="https://evil.example"))) is None


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize(
    ("header", "claims"),
    [
        ({"alg": "none", "typ": "apicharge-login+jwt"}, {}),
        ({"alg": "EdDSA", "typ": "apicharge-grant+jwt"}, {}),
        ({"alg": "EdDSA", "typ": "apicharge-login+jwt", "kid": "x"}, {}),
        ({"alg": "EdDSA", "typ": "apicharge-login+jwt"}, {"exp": "soon"}),
        ({"alg": "EdDSA", "typ": "apicharge-login+jwt"}, {"exp": True}),
        ({"alg": "EdDSA", "typ": "apicharge-login+jwt"}, {"sub": 1}),
    ],
)
def test_token_of_another_form_is_refused_even_when_we_signed_it(
    header: dict[str, object], claims: dict[str, object]
) -> None:
    payload = {"iss": LOGIN.issuer, "sub": LOGIN.account, "jti": "id", "iat": 1, **claims}
    payload.setdefault("exp", LOGIN.expires_at)
    text = f"{part(header)}.{part(payload)}"
    signature = base64.urlsafe_b64encode(ed25519.sign(KEY, text.encode())).rstrip(b"=").decode()
    assert who(f"{text}.{signature}") is None
    assert who("") is None
