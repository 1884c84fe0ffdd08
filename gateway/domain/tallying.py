"""Counting what one answer uses while it passes, whatever its chunks are cut into.

Events and lines are read one by one, a JSON body at its end: as a whole, or, where it is larger
than is kept, by the `usage` in its last bytes. What passes is given out at once and as it came.
Only when the chunk that a client did not ask for is to be hidden, the part of an event that is not
whole yet waits for the rest of it.
"""

import json
import re
from enum import StrEnum

from gateway.domain.metering import JsonMeter, Meter
from gateway.domain.units import Unit
from gateway.domain.usage import (
    Usage,
    at,
    deltas_in,
    is_usage_alone,
    tokens,
    usage_in,
)

EVENT_BYTES_MAX = 256 * 1024
BODY_BYTES_MAX = 1024 * 1024
TAIL_BYTES = 16 * 1024

_END_OF_EVENT = re.compile(rb"(?:\r\n|\n|\r(?=[^\n])){2}")
_END_OF_LINE = re.compile(rb"\n")
_END_OF_FIELD = re.compile(rb"\r\n|\n|\r")
_DECODER = json.JSONDecoder()


class Form(StrEnum):
    EVENTS = "events"
    LINES = "lines"
    WHOLE = "whole"
    UNREAD = "unread"


def form_of(content_type: str, *, is_encoded: bool) -> Form:
    kind = content_type.partition(";")[0].strip().lower()
    if is_encoded:
        return Form.UNREAD
    if kind == "text/event-stream":
        return Form.EVENTS
    if kind in {"application/x-ndjson", "application/ndjson", "application/jsonl"}:
        return Form.LINES
    return Form.WHOLE if kind == "application/json" or kind.endswith("+json") else Form.UNREAD


class Tally:
    def __init__(self, meter: Meter | None, form: Form, *, hides: bool = False) -> None:
        self.size = 0
        self.deltas = 0
        self.tokens_in: int | None = None
        self.tokens_out: int | None = None
        self._meter = meter
        self._form = form if meter is not None else Form.UNREAD
        self._hides = hides and form is Form.EVENTS
        self._pending = b""
        self._passed_on = 0  # Of what is pending, because there was too much of it.
        self._since_report = 0
        self._end = _END_OF_EVENT if form is Form.EVENTS else _END_OF_LINE

    def feed(self, chunk: bytes) -> bytes:
        """Count, and give out what may go on."""
        self.size += len(chunk)
        if self._form is Form.WHOLE:
            self._keep(chunk)
            return chunk
        if self._form is Form.UNREAD:
            return chunk
        shown = self._parts(chunk)
        return shown if self._hides else chunk

    def finish(self) -> bytes:
        """At the body's own end: what is still to count, and to give out."""
        rest, self._pending = self._pending, b""
        if self._form is Form.WHOLE:
            self._whole(rest)
            return b""
        if self._form is Form.UNREAD or not rest or not self._read(rest):
            return b""
        return rest[self._passed_on :] if self._hides else b""

    def _keep(self, chunk: bytes) -> None:
        self._pending += chunk
        if len(self._pending) > BODY_BYTES_MAX:
            self._pending = self._pending[-TAIL_BYTES:]

    def _parts(self, chunk: bytes) -> bytes:
        pending, start, shown = self._pending + chunk, 0, []
        for found in self._end.finditer(pending, max(0, len(self._pending) - 3)):
            part = pending[start : found.end()]
            if self._read(part):
                shown.append(part[self._passed_on :])
            start, self._passed_on = found.end(), 0
        self._pending = pending[start:]
        if len(self._pending) > EVENT_BYTES_MAX:
            shown.append(self._pending[self._passed_on :])
            self._pending = self._pending[-TAIL_BYTES:]
            self._passed_on = len(self._pending)
        return b"".join(shown)

    def _read(self, part: bytes) -> bool:
        """Whether the client gets it."""
        data = _data_of(part) if self._form is Form.EVENTS else part
        try:
            document = json.loads(data)
        except (ValueError, RecursionError):
            return True
        self._take(document)
        return not (self._hides and not self._passed_on and is_usage_alone(document))

    def _whole(self, body: bytes) -> None:
        try:
            self._take(json.loads(body))
        except (ValueError, RecursionError):
            self._tail(body.decode("utf-8", "replace"))

    def _tail(self, text: str) -> None:
        """Of a body that is not here as a whole."""
        place = text.rfind('"usage"')
        if place < 0 or isinstance(self._meter, JsonMeter):
            return
        try:
            usage, _ = _DECODER.raw_decode(text[place + 7 :].lstrip(" \r\n\t:"))
        except (ValueError, RecursionError):
            return
        self._report(usage_in({"usage": usage}))

    def _take(self, document: object) -> None:
        self.deltas += (deltas := deltas_in(document))
        self._since_report += deltas
        if isinstance(self._meter, JsonMeter):
            found = [
                None if pointer is None else tokens(at(document, pointer))
                for pointer in (self._meter.tokens_in, self._meter.tokens_out)
            ]
            self._report(Usage(*found))
        else:
            self._report(usage_in(document))

    def _report(self, usage: Usage | None) -> None:
        """The last report counts; one that names the one kind leaves the other."""
        if usage is None:
            return
        if usage.tokens_in is not None:
            self.tokens_in = usage.tokens_in
        if usage.tokens_out is not None:
            self.tokens_out, self._since_report = usage.tokens_out, 0

    def so_far(self) -> dict[str, int]:
        """At least so much; deltas stand for tokens that were not reported yet."""
        return {
            Unit.BYTES: self.size,
            Unit.TOKENS_IN: self.tokens_in or 0,
            Unit.TOKENS_OUT: (self.tokens_out or 0) + self._since_report,
        }

    def final(self, priced: frozenset[Unit]) -> dict[str, int] | None:
        """What to settle at; None where it cannot be told, and what was reserved stands."""
        if self.size:
            if Unit.TOKENS_IN in priced and self.tokens_in is None:
                return None
            streams = self._form in {Form.EVENTS, Form.LINES}
            if Unit.TOKENS_OUT in priced and self.tokens_out is None and not streams:
                return None
        return self.so_far()


def _data_of(event: bytes) -> bytes:
    lines = _END_OF_FIELD.split(event)
    data = [line[5:].removeprefix(b" ") for line in lines if line.startswith(b"data:")]
    return b"\n".join(data)
