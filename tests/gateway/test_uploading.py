"""A body as an HTTP client takes it: piece by piece, and broken off no sooner than it is out."""

import asyncio
from typing import Any, cast

import pytest

from gateway import uploading
from gateway.domain.errors import GateFault
from gateway.domain.exchange import End
from gateway.domain.limits import Direction
from gateway.ledgers.port import LedgerUnavailable
from gateway.uploading import Upload


class Purse:
    """So many bytes now, and after that what `rest` says."""

    def __init__(self, held: int, rest: int | Exception | None = 0) -> None:
        self.held = held
        self.rest = rest
        self.asked = asyncio.Event()

    def take_bytes(self, direction: Direction, wanted: int) -> int:
        assert direction is Direction.UP
        taken = min(self.held, wanted)
        self.held -= taken
        return taken

    async def wait_bytes(self, _direction: Direction, _wanted: int) -> int:
        self.asked.set()
        if isinstance(self.rest, Exception):
            raise self.rest
        if self.rest is None:
            await asyncio.Event().wait()
        return self.rest or 0


class Exchanged:
    end: End | None = None
    waiting_since: float | None = None
    owing_since: float | None = None
    body_bytes_max: int | None = None
    bytes_up = 0
    has_served = is_answered = False

    def __init__(self, purse: Purse) -> None:
        self.reservation = purse
        self.terms = self

    def cut(self, end: End) -> None:
        self.end = self.end or end

    def ledger_end(self) -> End:
        return End.LEDGER_LOST if self.has_served else End.LEDGER_UNAVAILABLE


def upload_of(purse: Purse) -> tuple[Upload, Exchanged]:
    exchange = Exchanged(purse)
    return Upload(cast("Any", exchange)), exchange


@pytest.fixture(autouse=True)
def out(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """When the time to leave is over."""
    over = asyncio.Event()

    async def sleep(seconds: float) -> None:
        assert seconds == uploading.LET_OUT_SECONDS
        await over.wait()

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return over


async def turns(count: int = 5) -> None:
    loop = asyncio.get_running_loop()
    for _ in range(count):
        turn = loop.create_future()
        loop.call_soon(turn.set_result, None)
        await turn


async def test_body_is_passed_on_whole() -> None:
    upload, exchange = upload_of(Purse(100))
    stream = upload.stream()
    await upload.put(b"one", more=True)
    assert await anext(stream) == b"one"
    assert upload.is_partial
    await upload.put(b"two", more=False)
    assert [piece async for piece in stream] == [b"two"]
    assert not upload.is_partial
    assert exchange.end is None


@pytest.mark.parametrize(
    ("rest", "end"),
    [(0, End.EXHAUSTED), (LedgerUnavailable(), End.LEDGER_LOST)],
)
async def test_end_is_told_at_once_and_the_body_broken_off_when_it_is_out(
    out: asyncio.Event, rest: int | Exception, end: End
) -> None:
    upload, exchange = upload_of(Purse(3, rest))
    stream = upload.stream()
    await upload.put(b"four", more=True)
    assert await anext(stream) == b"fou"
    last = asyncio.ensure_future(anext(stream))
    await turns()
    assert exchange.end is end
    assert not last.done()
    out.set()
    with pytest.raises((GateFault, LedgerUnavailable)):
        await last


async def test_body_of_which_nothing_was_sent_is_broken_off_at_once() -> None:
    upload, exchange = upload_of(Purse(0))
    await upload.put(b"four", more=True)
    with pytest.raises(GateFault):
        await anext(upload.stream())
    assert exchange.end is End.EXHAUSTED
    assert not upload.is_partial


async def test_end_of_the_exchange_ends_the_wait_for_the_ledger(out: asyncio.Event) -> None:
    purse = Purse(3, None)
    upload, exchange = upload_of(purse)
    stream = upload.stream()
    await upload.put(b"four", more=True)
    await anext(stream)
    last = asyncio.ensure_future(anext(stream))
    await purse.asked.wait()
    exchange.cut(End.REVOKED)
    await upload.stop()
    out.set()
    with pytest.raises(GateFault) as raised:
        await last
    assert raised.value.end is End.REVOKED


async def test_nothing_is_taken_once_the_exchange_is_over(out: asyncio.Event) -> None:
    purse = Purse(3)
    upload, exchange = upload_of(purse)
    stream = upload.stream()
    await upload.put(b"four", more=True)
    assert await anext(stream) == b"fou"
    exchange.cut(End.EXPIRED)
    await upload.stop()
    purse.held = 100
    out.set()
    with pytest.raises(GateFault):
        await anext(stream)
    assert purse.held == 100


async def test_body_that_is_larger_than_the_route_takes_is_broken_off(out: asyncio.Event) -> None:
    upload, exchange = upload_of(Purse(100))
    exchange.body_bytes_max = 4
    out.set()
    await upload.put(b"three", more=True)
    with pytest.raises(GateFault):
        await anext(upload.stream())
    assert exchange.end is End.BODY_TOO_LARGE


async def test_body_cannot_be_sent_twice() -> None:
    upload, _ = upload_of(Purse(100))
    await upload.put(b"one", more=False)
    assert [piece async for piece in upload.stream()] == [b"one"]
    with pytest.raises(GateFault):
        await anext(upload.stream())
