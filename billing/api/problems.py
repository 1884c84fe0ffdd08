"""Refusals as problem+json (RFC 9457): one table, one door."""

from collections.abc import Mapping

from rest_framework import exceptions
from rest_framework.response import Response

from billing import conf
from billing.domain import errors
from billing.domain.errors import BillingError, TokenRefused

CONTENT_TYPE = "application/problem+json"

# What Django REST framework finds by itself.
_FOREIGN: Mapping[type[Exception], type[BillingError]] = {
    exceptions.ParseError: errors.BadRequest,
    exceptions.MethodNotAllowed: errors.MethodNotAllowed,
    exceptions.UnsupportedMediaType: errors.UnsupportedMediaType,
}


def document(error: BillingError) -> dict[str, object]:
    return {
        "type": problem_type(error.slug),
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
    }


def stored(slug: str, detail: str) -> dict[str, object]:
    """The problem that a purchase ended with."""
    return {"type": problem_type(slug), "title": TITLES[slug], "detail": detail}


def problem_type(slug: str) -> str:
    return f"{conf.conf().origin}/problems/{slug}"


def handler(raised: Exception, context: object) -> Response | None:  # noqa: ARG001
    """Anything unknown is a fault and rises."""
    error = _translated(raised)
    return None if error is None else response(error)


def response(error: BillingError) -> Response:
    headers = {"Cache-Control": "no-store"}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, TokenRefused):
        headers["WWW-Authenticate"] = f'ApiCharge error="{error.reason}"'
    return Response(
        document(error), status=error.status, headers=headers, content_type=CONTENT_TYPE
    )


def _translated(raised: Exception) -> BillingError | None:
    if isinstance(raised, BillingError):
        return raised
    if isinstance(raised, exceptions.ValidationError):
        return errors.BadRequest(_sentence(raised.detail))
    if isinstance(raised, exceptions.APIException) and type(raised) in _FOREIGN:
        return _FOREIGN[type(raised)](str(raised.detail))
    return None


def _sentence(detail: object) -> str:
    """The first thing that is wrong, with the field's name."""
    if isinstance(detail, Mapping):
        field, inner = next(iter(detail.items()))
        sentence = _sentence(inner)
        return sentence if field == "non_field_errors" else f"{field}: {sentence}"
    if isinstance(detail, list | tuple):
        return _sentence(detail[0])
    return str(detail)


def all_slugs() -> dict[str, str]:
    """Every problem type that billing answers with, and its title."""
    found: dict[str, str] = {}
    waiting: list[type[BillingError]] = [BillingError]
    while waiting:
        kind = waiting.pop()
        waiting.extend(kind.__subclasses__())
        if "slug" in vars(kind):
            found[kind.slug] = kind.title
    return found


TITLES = all_slugs()
