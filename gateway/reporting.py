"""One exchange whose credits are priced by what its answer uses: asked for, counted, reserved.

An admission reserved `max_per_call`. A stream that has used as much reserves it again before its
next chunk goes on, and is cut where the grant holds no more. At the end the exchange settles at
what was used, never above what is reserved.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Protocol

from pyreqwest.bytes import Bytes

from gateway.domain.asking import REWRITTEN_BYTES_MAX, ask_for_usage, may_stream
from gateway.domain.errors import GateFault
from gateway.domain.exchange import End
from gateway.domain.grants import Grant
from gateway.domain.headers import Pair
from gateway.domain.metering import Meter, UsageMeter, parse_meter, priced_tokens
from gateway.domain.tallying import Form, Tally, form_of
from gateway.reservations import Reservation
from gateway.upstream import Asked, Body

FAILED = 400


class Read(Protocol):
    """An answer as the pump reads it."""

    @property
    def status(self) -> int: ...
    @property
    def may_have_trailers(self) -> bool: ...
    @property
    def is_ahead(self) -> bool: ...
    def headers(self) -> tuple[Iterable[Pair], int]: ...
    async def read(self) -> bytes | Bytes | None: ...
    def trailers(self) -> Sequence[Pair]: ...
    def has_events(self) -> None: ...
    async def close(self) -> None: ...


Sender = Callable[[Asked, Body | None], Awaitable[Read]]


class Report:
    """What one exchange uses."""

    def __init__(self, grant: Grant, reservation: Reservation, request: Asked) -> None:
        self._meter: Meter | None = parse_meter(grant.meter)
        self._priced = priced_tokens(grant.limits)
        self._reservation = reservation
        self._tally = Tally(None, Form.UNREAD)
        self._hides = self._failed = False
        self._rewrites = isinstance(self._meter, UsageMeter) and may_stream(
            request.method, request.path, dict(request.headers).get("content-type", "")
        )
        # An answer that is not compressed can be read; a body that is rewritten has another length.
        dropped = {"accept-encoding", "content-length" if self._rewrites else ""}
        request.headers = [pair for pair in request.headers if pair[0] not in dropped]

    def sending(self, send: Sender) -> Sender:
        async def sent(asked: Asked, body: Body | None) -> Read:
            if body is not None and self._rewrites:
                body = self._asking(body)
            return self._reading(await send(asked, body))

        return sent

    def _asking(self, body: Body) -> Body:
        async def rewritten() -> AsyncIterator[bytes]:
            assert isinstance(self._meter, UsageMeter)
            kept = b""
            pieces = body()
            async for piece in pieces:
                kept += piece
                if len(kept) > REWRITTEN_BYTES_MAX:
                    yield kept
                    async for rest in pieces:
                        yield rest
                    return
            asked = ask_for_usage(kept, continuous=self._meter.continuous)
            self._hides = asked.hides
            yield asked.body

        return rewritten

    def _reading(self, answer: Read) -> Read:
        items, undecodable = answer.headers()
        headers = list(items)
        names = dict(headers)
        form = form_of(
            names.get("content-type", ""),
            is_encoded=names.get("content-encoding", "identity").lower() != "identity",
        )
        hides = self._hides and "content-length" not in names
        if answer.status >= FAILED:
            form = Form.UNREAD
        self._tally = Tally(self._meter, form, hides=hides)
        self._failed = answer.status >= FAILED
        return Reported(answer, (headers, undecodable), self)

    async def pass_on(self, chunk: bytes) -> bytes:
        shown = self._tally.feed(chunk)
        if not await self._reservation.cover(self._tally.so_far()):
            raise GateFault(End.EXHAUSTED, "The credits that the grant holds are used up.")
        return shown

    def end(self) -> bytes:
        return self._tally.finish()

    def count(self) -> Mapping[str, int] | None:
        """What to settle at. A call that the server refused costs what a call costs."""
        if self._failed:
            return {}
        self._tally.finish()  # The pump stops reading where a content-length says so.
        return self._tally.final(self._priced)


class Reported:
    """An answer that is counted as it is read."""

    __slots__ = ("_answer", "_ended", "_headers", "_report", "may_have_trailers", "status")
    is_ahead = False

    def __init__(self, answer: Read, headers: tuple[list[Pair], int], report: Report) -> None:
        self._answer = answer
        self._headers = headers
        self._report = report
        self._ended = False
        self.status = answer.status
        self.may_have_trailers = answer.may_have_trailers

    def headers(self) -> tuple[Iterable[Pair], int]:
        return self._headers

    async def read(self) -> bytes | None:
        while not self._ended:
            chunk = await self._answer.read()
            if chunk is None:
                self._ended = True
                return self._report.end() or None
            if shown := await self._report.pass_on(bytes(chunk)):
                return shown
        return None

    def trailers(self) -> Sequence[Pair]:
        return self._answer.trailers()

    def has_events(self) -> None:
        self._answer.has_events()

    async def close(self) -> None:
        await self._answer.close()
