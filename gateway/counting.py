"""One exchange of a grant that counts messages: its answer's events, each taken before it goes on.

A stream is cut between two events, at the first that the grant does not hold. What comes compressed
cannot be counted: such calls go without Accept-Encoding, and events that are encoded nevertheless
are refused as an answer that cannot be passed on.
"""

from collections.abc import Iterable, Sequence

from pyreqwest.bytes import Bytes

from gateway.domain.errors import GateFault
from gateway.domain.events import EventSplitter
from gateway.domain.exchange import End
from gateway.domain.headers import Pair
from gateway.reporting import Read, Sender
from gateway.reservations import Reservation
from gateway.upstream import Asked, Body

USED_UP = "The messages that the grant holds are used up."
ENCODED = "The API's events are encoded and cannot be counted."


def counting(send: Sender, reservation: Reservation, request: Asked) -> Sender:
    request.headers = [pair for pair in request.headers if pair[0] != "accept-encoding"]

    async def sent(asked: Asked, body: Body | None) -> Read:
        return Counted(await send(asked, body), reservation)

    return sent


class Counted:
    """An answer whose events are counted as it is read."""

    __slots__ = (
        "_answer",
        "_events",
        "_is_encoded",
        "_reservation",
        "_splitter",
        "may_have_trailers",
        "status",
    )

    def __init__(self, answer: Read, reservation: Reservation) -> None:
        self._answer = answer
        self._reservation = reservation
        self._splitter: EventSplitter | None = None
        self._events: list[bytes] = []
        self._is_encoded = False
        self.status = answer.status
        self.may_have_trailers = answer.may_have_trailers

    def headers(self) -> tuple[Iterable[Pair], int]:
        items, undecodable = self._answer.headers()
        pairs = list(items)
        encodings = {value.strip().lower() for name, value in pairs if name == "content-encoding"}
        self._is_encoded = bool(encodings - {"identity"})
        return pairs, undecodable

    def trailers(self) -> Sequence[Pair]:
        return self._answer.trailers()

    def has_events(self) -> None:
        if self._is_encoded:
            raise GateFault(End.UPSTREAM_INVALID, ENCODED)
        self._splitter = EventSplitter()
        self._answer.has_events()

    async def read(self) -> bytes | Bytes | None:
        if self._splitter is None:
            return await self._answer.read()
        while not self._events:
            chunk = await self._answer.read()
            if chunk is None:
                return self._splitter.finish() or None
            more, *self._events = self._splitter.feed(bytes(chunk))
            if more:
                return more
        granted = await self._reservation.take_events(len(self._events))
        if not granted:
            raise GateFault(End.EXHAUSTED, USED_UP)
        events, self._events = self._events[:granted], self._events[granted:]
        return b"".join(events)

    async def close(self) -> None:
        await self._answer.close()
