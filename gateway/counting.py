"""One exchange of a grant that counts messages: its answer's, each taken before it goes on.

What they are, the answer decides and not who asked for it: events, or what gRPC frames. A stream is
cut between two of them, at the first that the grant does not hold. What comes compressed cannot be
counted: such calls go without Accept-Encoding, and what is encoded nevertheless is refused as an
answer that cannot be passed on.
"""

from collections.abc import AsyncIterator, Iterable, Sequence

from pyreqwest.bytes import Bytes

from gateway.domain.errors import GateFault
from gateway.domain.events import EventSplitter
from gateway.domain.exchange import End
from gateway.domain.grpc import Framing, is_grpc_type
from gateway.domain.headers import Pair
from gateway.domain.limits import Direction
from gateway.metered import CHUNK_BYTES_MAX
from gateway.reporting import Read, Sender
from gateway.reservations import Reservation
from gateway.upstream import Asked, Body

USED_UP = "The messages that the grant holds are used up."
MAY_BE_MESSAGES = (
    "The body may be gRPC messages, and more of them than the grant holds. It was not passed on."
)
ENCODED = "The API's messages are encoded and cannot be counted."


def counting(send: Sender, reservation: Reservation, request: Asked) -> Sender:
    request.headers = [pair for pair in request.headers if pair[0] != "accept-encoding"]

    async def sent(asked: Asked, body: Body | None) -> Read:
        return Counted(await send(asked, body), reservation, is_framed=asked.cluster.is_grpc)

    return sent


class Cutter:
    """Passes on what begins no message that is not granted."""

    def __init__(
        self, reservation: Reservation, direction: Direction, framing: Framing | None = None
    ) -> None:
        self._framing = framing or Framing()
        self._reservation = reservation
        self._direction = direction
        self._taken = 0
        self._counts = True

    def give_up(self) -> None:
        """They are no messages after all: what was taken for them goes back."""
        self._counts = False
        self._reservation.give_back_events(self._taken, self._direction)
        self._taken = 0

    async def pieces(self, data: bytes) -> AsyncIterator[bytes]:
        places, done = self._framing.begins(data) if self._counts else [], 0
        while places:
            granted = await self._reservation.take_events(len(places), self._direction)
            self._taken += granted
            if not self._counts:  # Since it waited.
                self.give_up()
                break
            if not granted:
                if places[0] > done:
                    yield data[done : places[0]]
                raise GateFault(End.EXHAUSTED, USED_UP)
            places = places[granted:]
            until = places[0] if places else len(data)
            yield data[done:until]
            done = until
        if done < len(data):
            yield data[done:]


class StaysBack(GateFault):
    """Nothing of the body was passed on, since nothing of it may be."""


class Supposing(Cutter):
    """The same of a body of which nobody said that it is messages.

    What begins more of them than are granted stays back as a whole, and costs nothing: the upstream
    has not got it. What it has got stays taken until it answers, since it may have read messages. A
    body of a known size that may be messages throughout is decided upon before any of it goes on.
    """

    def __init__(self, reservation: Reservation, body_bytes: int | None) -> None:
        framing = Framing(is_sure=False, body_bytes=body_bytes)
        super().__init__(reservation, Direction.UP, framing)
        self._held: list[bytes] = []
        self._begun = 0
        self._has_passed = False
        self._missing = body_bytes or 0
        if self._missing > CHUNK_BYTES_MAX:
            self._missing = 0

    async def pieces(self, data: bytes) -> AsyncIterator[bytes]:
        self._held.append(data)
        self._missing -= len(data)
        if self._counts:
            self._begun += len(self._framing.begins(data))
            if self._missing > 0 and not self._framing.is_over:
                return
            await self._take()
        data, self._held = b"".join(self._held), []
        self._has_passed = True
        yield data

    async def _take(self) -> None:
        got = 0
        while got < self._begun:
            granted = await self._reservation.take_events(self._begun - got, self._direction)
            got += granted
            self._taken += granted
            if not self._counts:  # Since it waited.
                self.give_up()
                break
            if not granted:
                self._reservation.give_back_events(got, self._direction)
                self._taken -= got
                kind = GateFault if self._has_passed else StaysBack
                raise kind(End.EXHAUSTED, MAY_BE_MESSAGES)
        self._begun = 0


class Counted:
    """An answer whose messages are counted as it is read."""

    __slots__ = (
        "_answer",
        "_cutter",
        "_events",
        "_is_encoded",
        "_is_framed",
        "_pieces",
        "_reservation",
        "_splitter",
        "may_have_trailers",
        "status",
    )
    is_ahead = False

    def __init__(self, answer: Read, reservation: Reservation, *, is_framed: bool) -> None:
        self._answer = answer
        self._is_framed = is_framed
        """Also where the answer does not say so."""
        self._cutter: Cutter | None = None
        self._pieces: AsyncIterator[bytes] | None = None
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
        if self._is_framed or is_grpc_type(dict(pairs).get("content-type", "")):
            self._refuse_encoded()
            self._cutter = Cutter(self._reservation, Direction.DOWN)
        return pairs, undecodable

    def trailers(self) -> Sequence[Pair]:
        return self._answer.trailers()

    def has_events(self) -> None:
        self._refuse_encoded()
        self._splitter, self._cutter = EventSplitter(), None
        self._answer.has_events()

    def _refuse_encoded(self) -> None:
        if self._is_encoded:
            raise GateFault(End.UPSTREAM_INVALID, ENCODED)

    async def _read_framed(self, cutter: Cutter) -> bytes | None:
        while True:
            if self._pieces is not None:
                async for piece in self._pieces:
                    return piece
            chunk = await self._answer.read()
            if chunk is None:
                return None
            self._pieces = cutter.pieces(bytes(chunk))

    async def read(self) -> bytes | Bytes | None:
        if self._cutter is not None:
            return await self._read_framed(self._cutter)
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
