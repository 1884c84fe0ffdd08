"""gRPC as the gate meets it: what a call is, what its status says, and what a refusal is there.

An HTTP status is always 200; what happened is a number in the trailers. A refusal is an answer that
is nothing else (Trailers-Only), with the problem's type and the sentence beside the number.
"""

import math
import re
from collections.abc import Iterable
from enum import IntEnum
from urllib.parse import quote

from gateway.domain.errors import (
    GRANT_EXPIRED,
    PAYMENT_REQUIRED,
    Problem,
)

Field = tuple[bytes, bytes]

CONTENT_TYPE = "application/grpc"
STATUS, MESSAGE, PROBLEM = "grpc-status", "grpc-message", "apicharge-problem"
SEEN_AS_STATUS = 502
_PRINTABLE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")
_TIMEOUT = re.compile(r"([0-9]{1,8})([HMSmun])").fullmatch
_SECONDS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}


class Code(IntEnum):
    OK = 0
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


# What a 5xx says over HTTP. A deadline is the caller's own, and a call that it ended is served.
UPSTREAM_FAILED = frozenset(
    {Code.UNKNOWN, Code.UNIMPLEMENTED, Code.INTERNAL, Code.UNAVAILABLE, Code.DATA_LOSS}
)
CODES = {
    400: Code.INVALID_ARGUMENT,
    401: Code.UNAUTHENTICATED,
    402: Code.RESOURCE_EXHAUSTED,
    403: Code.PERMISSION_DENIED,
    404: Code.UNIMPLEMENTED,
    408: Code.DEADLINE_EXCEEDED,
    413: Code.RESOURCE_EXHAUSTED,
    429: Code.RESOURCE_EXHAUSTED,
    500: Code.INTERNAL,
    502: Code.UNAVAILABLE,
    503: Code.UNAVAILABLE,
    504: Code.UNAVAILABLE,
}
WITHOUT_ACCESS = frozenset({PAYMENT_REQUIRED.slug, GRANT_EXPIRED.slug})


def is_grpc(headers: Iterable[Field]) -> bool:
    for name, value in headers:
        if name == b"content-type":
            return is_grpc_type(value.decode("latin-1"))
    return False


def is_grpc_type(content_type: str) -> bool:
    kind = content_type.lower()
    return kind == CONTENT_TYPE or kind.startswith((f"{CONTENT_TYPE}+", f"{CONTENT_TYPE};"))


def code_of(problem: Problem) -> Code:
    return Code.UNAUTHENTICATED if problem.slug in WITHOUT_ACCESS else CODES[problem.status]


def ending(problem: Problem, *, origin: str, detail: str) -> list[Field]:
    """The trailers of a call that the gate ends."""
    return [
        *_status(code_of(problem), detail),
        (PROBLEM.encode(), f"{origin}/problems/{problem.slug}".encode()),
    ]


def _status(code: Code, message: str) -> list[Field]:
    said = quote(message, safe=_PRINTABLE).encode("ascii")
    return [(STATUS.encode(), b"%d" % code), (MESSAGE.encode(), said)]


def has_failed(status: str | None) -> bool:
    """Whether the upstream did not do its part, by the status that it gave."""
    return status is not None and status.isdecimal() and int(status) in UPSTREAM_FAILED


def timeout_s(text: str | None) -> float | None:
    """`grpc-timeout`: how long the caller waits; None where it says nothing that can be read."""
    found = _TIMEOUT(text or "")
    return int(found[1]) * _SECONDS[found[2]] if found else None


class Framing:
    """Where messages begin in one direction of a call: a byte of flags, four of length."""

    HEADER_BYTES = 5
    FLAGS_MAX = 1

    def __init__(self, *, is_sure: bool = True, body_bytes: int | None = None) -> None:
        """Not sure: it may be no messages, and is none from the first that cannot be one."""
        self._header = b""
        self._left = 0
        self._is_sure = is_sure
        self._rest = math.inf if body_bytes is None else body_bytes
        self.is_over = False

    def begins(self, data: bytes) -> list[int]:
        """The places in `data` at which a message begins."""
        places: list[int] = []
        at = 0
        while at < len(data) and not self.is_over:
            if self._left:
                passed = min(self._left, len(data) - at)
                self._left -= passed
                at += passed
                continue
            if not self._header:
                places.append(at)
            taken = data[at : at + self.HEADER_BYTES - len(self._header)]
            self._header += taken
            at += len(taken)
            if not (self._is_sure or self._can_be_one(self._rest - at)):
                self.is_over = True
                return places[: -1 if len(self._header) == len(taken) else None]
            if len(self._header) == self.HEADER_BYTES:
                self._left = int.from_bytes(self._header[1:], "big")
                self._header = b""
        self._rest -= len(data)
        return places

    def _can_be_one(self, rest: float) -> bool:
        missing = self.HEADER_BYTES - len(self._header)
        size = 0 if missing else int.from_bytes(self._header[1:], "big")
        return self._header[0] <= self.FLAGS_MAX and missing + size <= rest
