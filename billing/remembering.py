"""Idempotency-Key: claim, answer, remember (the rules: billing/domain/idempotency.py)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import rfc8785
from django.db import IntegrityError, transaction

from billing.domain import idempotency
from billing.domain.errors import BadRequest, IdempotencyKeyReused, RequestInFlight
from billing.domain.idempotency import Remembered, Standing
from billing.models import IdempotentRequest

IN_FLIGHT = "The same request is being answered: ask again in a moment."


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: dict[str, object]


def once(
    *,
    buyer: str,
    key: str,
    body: Mapping[str, object],
    now_s: float,
    make: Callable[[], Answer],
) -> Answer:
    """The remembered answer, or a new one. What fails is not remembered: it changed nothing."""
    if not idempotency.is_key(key):
        raise BadRequest("Idempotency-Key must have 1 to 255 printable ASCII characters.")
    try:
        fingerprint = idempotency.fingerprint(dict(body))
    except rfc8785.CanonicalizationError as exc:
        raise BadRequest("The body has a number beyond 2^53.") from exc
    remembered = _claim(buyer, key, fingerprint, now_s=now_s)
    if remembered is not None:
        return remembered
    claim = IdempotentRequest.objects.filter(buyer=buyer, key=key, claimed_at_s=now_s)
    try:
        answer = make()
    except BaseException:
        claim.delete()
        raise
    claim.update(status=answer.status, answer=answer.body)
    return answer


def _claim(buyer: str, key: str, fingerprint: str, *, now_s: float) -> Answer | None:
    try:
        with transaction.atomic():
            _forget(buyer, now_s=now_s)
            row = IdempotentRequest.objects.select_for_update().filter(buyer=buyer, key=key).first()
            standing = idempotency.judge(
                None if row is None else _remembered(row), fingerprint=fingerprint, now_s=now_s
            )
            if standing is Standing.REPLAY and row is not None:
                return Answer(row.status or 200, row.answer or {})
            if standing is Standing.MISMATCH:
                raise IdempotencyKeyReused("This Idempotency-Key was used with another body.")
            if standing is Standing.IN_FLIGHT:
                raise RequestInFlight(IN_FLIGHT, retry_after_s=1)
            row = row or IdempotentRequest(buyer=buyer, key=key)
            row.fingerprint, row.claimed_at_s = fingerprint, now_s
            row.save()
    except IntegrityError as exc:
        raise RequestInFlight(IN_FLIGHT, retry_after_s=1) from exc
    return None


def _remembered(row: IdempotentRequest) -> Remembered:
    return Remembered(row.fingerprint, row.claimed_at_s, answered=row.answer is not None)


def _forget(buyer: str, *, now_s: float) -> None:
    since = now_s - idempotency.REMEMBERED_SECONDS
    IdempotentRequest.objects.filter(buyer=buyer, claimed_at_s__lte=since).delete()
