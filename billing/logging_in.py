"""From a proof that somebody holds an account to a token that says so (domain/logins.py)."""

import secrets

from django.core.cache import cache
from django_redis.exceptions import ConnectionInterrupted

from billing import conf
from billing.domain import logins
from billing.domain.errors import LoginRefused, NetworkUnavailable
from billing.domain.logins import CHALLENGE_SECONDS, TOKEN_SECONDS, Login, Text
from gateway.domain import ed25519

OLD = "This challenge is not ours, or too old, or was used: ask for another."


def challenge(account: str) -> str:
    """The SEP-10 transaction to sign."""
    return conf.rail().login_challenge(account, seed=conf.login_seed(), domain=conf.domain())


def by_transaction(transaction: str, *, now_s: float) -> str:
    rail, seed, domain = conf.rail(), conf.login_seed(), conf.domain()
    proven = rail.login_claimed(transaction, seed=seed, domain=domain)
    if not rail.login_signed(transaction, proven.account, seed=seed, domain=domain):
        raise LoginRefused("The signatures do not reach the account's medium threshold.")
    return _token(proven.account, proven.id, now_s=now_s)


def text(account: str, *, now_s: float) -> str:
    """The SEP-53 text to sign."""
    until_s = int(now_s) + CHALLENGE_SECONDS
    nonce = secrets.token_hex(logins.RANDOM_HEX // 2)
    asked = Text(conf.domain(), account, conf.rail().network, nonce, until_s)
    return asked.written(conf.login_seed())


def by_text(written: str, signature: bytes, *, now_s: float) -> str:
    rail = conf.rail()
    asked = logins.read_text(written, conf.login_seed(), domain=conf.domain(), network=rail.network)
    if asked is None or now_s > asked.until_s:
        raise LoginRefused(OLD)
    signers = rail.signers(asked.account)
    if signers.weights.get(asked.account, 0) < signers.threshold:
        raise LoginRefused("The account's own key is too weak to act for it: use SEP-10.")
    if not logins.signed_by(rail.account_key(asked.account), written, signature):
        raise LoginRefused("The signature is not the account's over this text (SEP-53).")
    return _token(asked.account, asked.nonce, now_s=now_s)


def logged_in(token: str, *, now_s: float) -> str:
    """The account that this token was given to."""
    login = logins.read_token(token, _public_key(), issuer=conf.conf().origin, now_s=now_s)
    if login is None:
        raise LoginRefused("This login is not ours, or over: log in again.")
    return login.account


def _token(account: str, challenge_id: str, *, now_s: float) -> str:
    try:
        first = cache.add(f"login:{challenge_id}", 1, timeout=2 * CHALLENGE_SECONDS)
    except ConnectionInterrupted as exc:  # Identity fails closed.
        raise NetworkUnavailable("Logins cannot be checked now.", retry_after_s=2) from exc
    if not first:
        raise LoginRefused(OLD)
    login = Login(conf.conf().origin, account, challenge_id, int(now_s), int(now_s) + TOKEN_SECONDS)
    return logins.token(login, lambda message: ed25519.sign(conf.login_seed(), message))


def _public_key() -> bytes:
    return ed25519.public_key(conf.login_seed())
