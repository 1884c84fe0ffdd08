"""Trying a service out: a form for each operation, and the call that it makes through the gate.

A browser with scripts makes the call itself (static/js/trying.js). Without, we make it: as any
client would, at our own gate, within bounds, and only with a token that the person brought. Nothing
is called but the gate, whatever the form says.
"""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

import httpx
from django.conf import settings

from marketplace.domain.calling import Call

CALL_SECONDS = 15.0
READ_BYTES_MAX = 256 * 1024
AT_ONCE = 8
"""Calls that this process makes for others: each holds a thread."""
HEADERS_SHOWN = 40
TOKEN_LENGTH_MAX = 8_192
_room = threading.BoundedSemaphore(AT_ONCE)


@dataclass(frozen=True, slots=True)
class Outcome:
    status: int
    reason: str
    latency_ms: int
    took_ms: int
    headers: tuple[tuple[str, str], ...]
    text: str
    size: int
    is_cut: bool
    """There was more, or it took longer, than is shown."""

    @property
    def worked(self) -> bool:
        return self.status < httpx.codes.BAD_REQUEST


@dataclass(frozen=True, slots=True)
class Failed:
    reason: str


def gate_path(slug: str) -> str:
    """Where the service answers on the main host."""
    return f"{settings.GATE_PREFIX}{slug}"


def perform(slug: str, call: Call, token: str) -> Outcome | Failed:
    """Blocks for `CALL_SECONDS` at most."""
    if not _room.acquire(blocking=False):
        return Failed("Too many people are trying something just now. Try again in a moment.")
    try:
        return _perform(f"{settings.ORIGIN}{gate_path(slug)}{call.target}", call, token)
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeEncodeError) as exc:
        return Failed(f"The call could not be made: {str(exc) or type(exc).__name__}.")
    finally:
        _room.release()


def _perform(url: str, call: Call, token: str) -> Outcome:
    headers = [("accept-encoding", "identity"), ("user-agent", "ApiCharge try-it"), *call.headers]
    if token:
        headers.append(("apicharge", token))
    client = httpx.Client(timeout=CALL_SECONDS, trust_env=False, follow_redirects=False)
    started = time.monotonic()
    with client, client.stream(call.method, url, headers=headers, content=call.body) as answer:
        latency_s = time.monotonic() - started
        read, is_cut = _read(answer, until=started + CALL_SECONDS)
        took_s = time.monotonic() - started
    return Outcome(
        status=answer.status_code,
        reason=answer.reason_phrase,
        latency_ms=round(latency_s * 1000),
        took_ms=round(took_s * 1000),
        headers=tuple(answer.headers.multi_items())[:HEADERS_SHOWN],
        text=_text(read, answer.headers),
        size=len(read),
        is_cut=is_cut,
    )


def _read(answer: httpx.Response, *, until: float) -> tuple[bytes, bool]:
    read = bytearray()
    try:
        for chunk in answer.iter_raw():
            read += chunk
            if len(read) > READ_BYTES_MAX or time.monotonic() > until:
                return bytes(read[:READ_BYTES_MAX]), True
    except httpx.TransportError:  # What came before it ended is worth seeing.
        return bytes(read), True
    return bytes(read), False


def _text(read: bytes, headers: Mapping[str, str]) -> str:
    if "\0" in (text := read.decode("utf-8", "replace")):
        return f"{len(read):,} bytes of {headers.get('content-type', 'no stated type')}"
    return text
