"""The latest calls of a grant, and why they ended as they did."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.domain.errors import FOR_END
from gateway.domain.exchange import End
from gateway.models import RecentCall

COMPLETED = End.COMPLETED.value


@dataclass(frozen=True, slots=True)
class CallLine:
    at: datetime
    method: str
    path: str
    status: int | None
    bytes_up: int
    bytes_down: int
    credits: int
    answered_in_ms: int | None
    problem: str  # The slug that its address explains, or nothing.
    why: str
    token: str


@dataclass(frozen=True, slots=True)
class TokenSeen:
    """An access token that the latest calls came with."""

    id: str
    last: datetime
    calls: int


def latest(grant_id: str) -> list[CallLine]:
    return [_line(row) for row in RecentCall.objects.filter(grant=grant_id).order_by("-id")]


def _line(row: RecentCall) -> CallLine:
    problem = FOR_END.get(End(row.end)) if row.end in set(End) else None
    why = "" if row.end == COMPLETED else row.end.replace("_", " ")
    return CallLine(
        at=row.at,
        method=row.method,
        path=row.path,
        status=row.status,
        bytes_up=row.bytes_up,
        bytes_down=row.bytes_down,
        credits=row.credits,
        answered_in_ms=row.answered_in_ms,
        problem=problem.slug if problem else "",
        why=problem.title if problem else why,
        token=row.token,
    )


def tokens_of(calls: Sequence[CallLine]) -> list[TokenSeen]:
    """The latest first; those without an id cannot be told apart."""
    seen: dict[str, list[CallLine]] = {}
    for call in calls:
        if call.token:
            seen.setdefault(call.token, []).append(call)
    return [TokenSeen(token, of[0].at, len(of)) for token, of in seen.items()]
