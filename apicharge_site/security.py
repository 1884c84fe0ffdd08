"""What the console tells browsers: https where there is https, and a Content-Security-Policy; and
what it notes of who acts there.

The policy lets nothing in from elsewhere, and no script or style that stands in the page.
A template that cannot do without a script of its own writes `nonce="{{ request.csp_nonce }}"`; only
then the answer names the nonce. A view that needs another policy sets the header itself.
"""

import secrets
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject, empty

from billing import auditing

POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'; script-src 'self'"
)
# The console's theme (django-unfold) evaluates the expressions in its own templates.
CONSOLE_POLICY = f"{POLICY} 'unsafe-eval'"
CONSOLE = "/admin/"
HEADER = "Content-Security-Policy"
NONCE_BYTES = 16
Respond = Callable[[HttpRequest], HttpResponse]


def content_security_policy(respond: Respond) -> Respond:
    def answer(request: HttpRequest) -> HttpResponse:
        nonce = SimpleLazyObject(lambda: secrets.token_urlsafe(NONCE_BYTES))
        request.csp_nonce = nonce  # type: ignore[attr-defined]
        response = respond(request)
        used = nonce._wrapped is not empty  # noqa: SLF001
        allowed = policy(request.path, str(nonce) if used else "")
        response.headers.setdefault(HEADER, allowed)
        return response

    return answer


def acts_are_traced(respond: Respond) -> Respond:
    """The audit log says from where the console's users acted. Of buyers it keeps no address."""

    def answer(request: HttpRequest) -> HttpResponse:
        if not request.path.startswith(CONSOLE):
            return respond(request)
        with auditing.acts_from(str(request.META.get("REMOTE_ADDR", ""))):
            return respond(request)

    return answer


def strict_transport(respond: Respond) -> Respond:
    """TLS may end before us, so our origin says whether browsers come by https."""

    def answer(request: HttpRequest) -> HttpResponse:
        response = respond(request)
        if settings.IS_HTTPS and settings.HSTS_SECONDS:
            response.headers["Strict-Transport-Security"] = f"max-age={settings.HSTS_SECONDS}"
        return response

    return answer


def policy(path: str, nonce: str = "") -> str:
    base = CONSOLE_POLICY if path.startswith(CONSOLE) else POLICY
    return f"{base} 'nonce-{nonce}'" if nonce else base
