"""Handing an access token to the host that it opens, by a code that is good for one exchange.

The console and a gate's host share no cookie, so a browser carries a code across. The code is
bound to grant, host and service, lives for a minute, and is gone with its first use.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass

from django.db import transaction

from billing import conf, keys
from billing.domain.errors import TokenRefused, Unprocessable
from billing.models import HandOver, Purchase
from gateway.domain import tokens
from gateway.domain.tokens import AccessToken, Refused

EXCHANGE = "/.apicharge/exchange"
CODE = re.compile(r"[A-Za-z0-9_-]{43}")
CODE_BYTES = 32
LIVES_SECONDS = 60
# Browsers keep 4,096 bytes with name and attributes.
TOKEN_LENGTH_MAX = 3_800


@dataclass(frozen=True, slots=True)
class Place:
    """Where a service answers, which part of it a cookie is for, and where the browser goes."""

    origin: str
    base: str
    cookie_path: str
    back: str


@dataclass(frozen=True, slots=True)
class Taken:
    token: str
    cookie_path: str
    back: str
    seconds: int


def give(purchase: Purchase, text: str, place: Place, *, now_s: float) -> str:
    """The address that exchanges `text`, an access token of the purchase's grant, for a cookie."""
    token = _checked(purchase, text, now_s=now_s)
    if len(text) > TOKEN_LENGTH_MAX:
        raise Unprocessable("This token is too long for a cookie: send it as a header.")
    code = secrets.token_urlsafe(CODE_BYTES)
    HandOver.objects.create(
        code_hash=_hash(code),
        purchase=purchase,
        origin=place.origin,
        base=place.base,
        cookie_path=place.cookie_path,
        back=place.back,
        token=text,
        token_expires_at_s=token.client_expires_at or token.grant.expires_at,
        expires_at_s=int(now_s) + LIVES_SECONDS,
    )
    return f"{place.origin}{place.base}{EXCHANGE}?code={code}"


def take(code: str, *, host: str, base: str, now_s: float) -> Taken | None:
    """What the code stands for, once. None for any other code, place or time."""
    if CODE.fullmatch(code) is None:
        return None
    if not HandOver.objects.filter(code_hash=_hash(code)).exists():
        return None  # Strangers guess: that must not cost the writer's lock.
    with transaction.atomic():
        row = HandOver.objects.select_for_update().filter(code_hash=_hash(code)).first()
        # Whoever deletes the row has it; a code in the wrong place is spent as well.
        if row is None or not HandOver.objects.filter(pk=row.pk).delete()[0]:
            return None
    here = row.origin.partition("://")[2] == host and row.base == base
    if not here or now_s >= row.expires_at_s or now_s >= row.token_expires_at_s:
        return None
    seconds = row.token_expires_at_s - int(now_s)
    return Taken(row.token, row.cookie_path, row.back, seconds)


def tidy(*, now_s: float) -> int:
    count, _ = HandOver.objects.filter(expires_at_s__lt=int(now_s)).delete()
    return count


def _checked(purchase: Purchase, text: str, *, now_s: float) -> AccessToken:
    token = tokens.read(text, keys.verifying())
    if isinstance(token, Refused):
        raise TokenRefused(token.detail, reason=token.reason.value)
    issuer = conf.conf().origin
    refused = tokens.admit_holder(token, issuer=issuer, grant_id=purchase.pk, now_s=now_s)
    if refused is not None:
        raise TokenRefused(refused.detail, reason=refused.reason.value)
    return token


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
