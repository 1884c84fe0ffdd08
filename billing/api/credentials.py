"""The access token of a request to billing: the same forms and order as at the gate."""

import time

from rest_framework.request import Request

from billing import conf, keys, logging_in
from billing.domain.errors import LoginRefused, TokenForbidden, TokenRefused
from gateway.domain import tokens
from gateway.domain.tokens import AccessToken, Reason, Refused
from gateway.models import GrantLedger, Revocation

FORBIDDEN = {Reason.WRONG_ACT, Reason.WRONG_GRANT}


def holder(request: Request, grant_id: str) -> AccessToken:
    """Whoever may read about the grant."""
    return _admitted(request, grant_id, manage=False)


def manager(request: Request, grant_id: str) -> AccessToken:
    return _admitted(request, grant_id, manage=True)


def buyer(request: Request) -> str:
    """Who is logged in, by `Authorization: Bearer <token>` (billing/logging_in.py)."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise LoginRefused("Log in first: /apicharge/v1/auth, then Authorization: Bearer.")
    return logging_in.logged_in(token.strip(), now_s=time.time())


def presented(request: Request) -> str | None:
    """The first that is present is used."""
    if direct := request.headers.get("apicharge"):
        return direct.strip()
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    value = value.strip()
    if scheme.lower() == "apicharge":
        return value
    if scheme.lower() == "bearer" and tokens.is_ours(value):
        return value
    return request.COOKIES.get("apicharge")


def _admitted(request: Request, grant_id: str, *, manage: bool) -> AccessToken:
    text = presented(request)
    if text is None:
        raise TokenRefused("Present an access token of this grant.", reason="missing")
    token = tokens.read(text, keys.verifying())
    if isinstance(token, Refused):
        raise TokenRefused(token.detail, reason=token.reason.value)
    admit = tokens.admit_manage if manage else tokens.admit_holder
    refused = admit(token, issuer=conf.conf().origin, grant_id=grant_id, now_s=time.time())
    if refused is not None and refused.reason in FORBIDDEN:
        raise TokenForbidden(refused.detail)
    if refused is not None:
        raise TokenRefused(refused.detail, reason=refused.reason.value)
    _check_rows(token)
    return token


def _check_rows(token: AccessToken) -> None:
    ended = ["", token.client_id] if token.client_id else [""]
    if Revocation.objects.filter(grant=token.grant.id, token__in=ended).exists():
        raise TokenRefused("This token was revoked.", reason=Reason.REVOKED.value)
    if not GrantLedger.objects.filter(pk=token.grant.id).exists():
        raise TokenRefused("This grant has no ledger here.", reason="unknown_grant")
