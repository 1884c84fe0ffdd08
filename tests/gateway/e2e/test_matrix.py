"""Every protocol by every limit by every way to end: what is delivered, told and charged.

A grant has the limit that a cell is about and, so that every cell counts both, plenty of calls and
bytes. Ends by the clock are brought about by moving an exchange's deadline: that the clock itself
is right is test_cuts' and test_refilling's matter.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.domain.exchange import End
from gateway.domain.tokens import Grant
from tests.gateway.e2e import speaking, speaking_grpc, speaking_http2
from tests.gateway.e2e.speaking import PATIENCE_S, PIECE_BYTES, Ending, Far, Speaker
from tests.gateway.e2e.world import World, eventually, running, token
from tests.promptness import is_to_the_letter

PIECES = 3
LET_OUT_SECONDS = 3.0
DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
ALL_DAY = {"days": DAYS, "start": "00:00", "end": "24:00"}
SPEAKERS = {**speaking.SPEAKERS, **speaking_http2.SPEAKERS, **speaking_grpc.SPEAKERS}


@dataclass(frozen=True, slots=True)
class Sold:
    """A limit with plenty in it, and one that PIECES pieces, or a second call, use up."""

    plenty: dict[str, Any]
    scarce: dict[str, Any]
    refuses: str = ""
    """What a second exchange is told beside one that runs, where it is refused then."""


CALLS, CREDITS = {"kind": "calls"}, {"kind": "credits", "per_call": 5, "max_per_call": 5}
SCHEDULE = {"kind": "schedule", "timezone": "UTC", "windows": [ALL_DAY]}
RATE, CONCURRENCY = {"kind": "rate", "window_seconds": 3600}, {"kind": "concurrency"}
LIMITS: dict[str, Callable[[str], Sold]] = {
    "calls": lambda _: Sold(CALLS | {"count": 9}, CALLS | {"count": 1}, "quota-exhausted"),
    "credits": lambda _: Sold(
        CREDITS | {"credits": 99}, CREDITS | {"credits": 5}, "quota-exhausted"
    ),
    "data": lambda way: Sold(
        {"kind": "data", "direction": way, "bytes": 999},
        {"kind": "data", "direction": way, "bytes": 25},
    ),
    "rate": lambda _: Sold(RATE | {"count": 9}, RATE | {"count": 1}, "rate-exceeded"),
    "concurrency": lambda _: Sold(
        CONCURRENCY | {"count": 9}, CONCURRENCY | {"count": 1}, "too-many-at-once"
    ),
    "bandwidth": lambda way: Sold(
        {"kind": "bandwidth", "direction": way, "bytes_per_second": 1_000_000},
        {"kind": "bandwidth", "direction": way, "bytes_per_second": 100},
    ),
    "schedule": lambda _: Sold(SCHEDULE, SCHEDULE),
    "messages": lambda way: Sold(
        {"kind": "messages", "direction": way, "count": 9},
        {"kind": "messages", "direction": way, "count": 2},
    ),
    "time": lambda _: Sold(CALLS | {"count": 9}, CALLS | {"count": 9}),
}


@dataclass(frozen=True, slots=True)
class Cell:
    world: World
    far: Far
    protocol: str
    limit: str

    def sold(self, *, scarce: bool = False) -> Grant:
        way = SPEAKERS[self.protocol].direction
        sold = LIMITS[self.limit](way)
        calls = {"kind": "calls", "count": 1000}
        data = {"kind": "data", "direction": way, "bytes": 1_000_000}
        return self.world.grant(limits=[sold.scarce if scarce else sold.plenty, calls, data])

    def speaker(self, name: str = "") -> Speaker:
        return SPEAKERS[self.protocol](self.world, self.far, f"{self.protocol}-{self.limit}{name}")

    async def begun(self, grant: Grant, pieces: int = PIECES) -> Speaker:
        speaker = self.speaker()
        assert await speaker.begin(token(grant)) == ""
        for _ in range(pieces - 1):
            await speaker.piece()
        return speaker

    def cut(self, grant: Grant, end: End) -> None:
        """As the clock would."""
        for exchange in self.runs(grant):
            exchange._ends_at = (0.0, end)

    def runs(self, grant: Grant) -> list[Any]:
        running = self.world.gate.watch._running
        return [each for each in running if each.terms.token.grant.id == grant.id]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one cell: `calls` and `bytes` are what it should have cost."""

    grant: Grant
    ending: Ending
    told: str
    calls: int
    bytes: int
    is_whole: bool = False


async def completed(cell: Cell) -> Outcome:
    grant = cell.sold()
    speaker = await cell.begun(grant)
    await speaker.finish()
    return Outcome(grant, await speaker.ending(), "", 1, 30, is_whole=True)


async def exhausted(cell: Cell) -> Outcome:
    grant, sold = cell.sold(scarce=True), LIMITS[cell.limit](SPEAKERS[cell.protocol].direction)
    speaker = await cell.begun(grant, pieces=2)
    if sold.refuses:
        assert await cell.speaker("-second").begin(token(grant)) == sold.refuses
    await speaker.push()
    if cell.limit in {"data", "messages"}:
        some = 20 if cell.limit == "messages" or speaker.has_messages else 25
        return Outcome(grant, await speaker.ending(), "quota-exhausted", 1, some)
    if cell.limit == "schedule":
        cell.cut(grant, End.OUTSIDE_SCHEDULE)
        ending = await speaker.ending()
        return Outcome(grant, ending, "outside-schedule", 1, ending.delivered)
    await speaker.finish()
    return Outcome(grant, await speaker.ending(), "", 1, 30, is_whole=True)


async def expired(cell: Cell) -> Outcome:
    grant = cell.sold()
    speaker = await cell.begun(grant)
    cell.cut(grant, End.EXPIRED)
    return Outcome(grant, await speaker.ending(), "grant-expired", 1, 30)


async def revoked(cell: Cell) -> Outcome:
    grant = cell.sold()
    speaker = await cell.begun(grant)
    cell.world.revoke(grant)
    return Outcome(grant, await speaker.ending(), "token-revoked", 1, 30)


async def truncated(cell: Cell) -> Outcome:
    """By the upstream. What had passed of an answer is charged; nothing, where none was begun."""
    grant = cell.sold()
    speaker = await cell.begun(grant)
    speaker.break_off()
    ending = await speaker.ending()
    if speaker.direction == "up":
        return Outcome(grant, ending, "upstream-unreachable", 0, 0)
    return Outcome(grant, ending, "upstream-invalid", 0, 30)


async def left(cell: Cell) -> Outcome:
    """The client is gone: it is told nothing, and the upstream learns of it."""
    grant = cell.sold()
    speaker = await cell.begun(grant)
    return Outcome(grant, await speaker.leave(), "", 1, 30)


async def closing(cell: Cell) -> Outcome:
    grant = cell.sold()
    speaker = await cell.begun(grant)
    cell.world.gate.watch.cut(End.CLOSING, lambda each: each.grant.id == grant.id)
    return Outcome(grant, await speaker.ending(), "gate-closing", 0, 30)


ENDS: dict[str, Callable[[Cell], Awaitable[Outcome]]] = {
    each.__name__: each
    for each in (completed, exhausted, expired, revoked, truncated, left, closing)
}
REMEMBERED = {
    "grant-expired": "expired",
    "quota-exhausted": "exhausted",
    "token-revoked": "revoked",
    "outside-schedule": "outside_schedule",
}
"""What is told, and the `last_end` of the grant by it."""


async def judge(cell: Cell, outcome: Outcome) -> None:
    world, grant, ending = cell.world, outcome.grant, outcome.ending
    told = outcome.told if SPEAKERS[cell.protocol].tells else ""
    assert (ending.is_whole, ending.told) == (outcome.is_whole, told)
    if outcome.bytes:
        assert ending.delivered == SPEAKERS[cell.protocol].visible(outcome.bytes)
    units = {"calls": outcome.calls, "data": outcome.bytes, "credits": 5 * outcome.calls}
    units["messages"] = outcome.bytes // PIECE_BYTES
    await eventually(lambda: cell.runs(grant) == [] and world.is_booked)
    supplies = world.leasing.allowance(grant).supplies
    charged = [world.ledger.used_of(grant, each.index) - each.holding.held for each in supplies]
    assert charged == [units[each.limit.kind] for each in supplies]
    if outcome.told in REMEMBERED:
        await eventually(lambda: any(each.grant_id == grant.id for each in world.ledger.ends))
        ends = [each.reason for each in world.ledger.ends if each.grant_id == grant.id]
        assert ends == [REMEMBERED[outcome.told]]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("protocol", SPEAKERS)
async def test_end_is_told_delivered_and_charged_as_sold(
    tmp_path: Path, protocol: str, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if end == "exhausted" and not is_to_the_letter():
        # What is charged has to leave before a body is broken off, on a busy machine, too.
        for module in ("uploading", "relaying"):
            monkeypatch.setattr(f"gateway.{module}.LET_OUT_SECONDS", LET_OUT_SECONDS)
    failed: dict[str, BaseException] = {}
    far = Far()

    async def fill(cell: Cell) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                await judge(cell, await ENDS[end](cell))
        except (AssertionError, OSError, EOFError, TimeoutError) as exc:
            failed[f"{protocol}, {cell.limit}, {end}"] = exc

    speaker = SPEAKERS[protocol]
    async with running(World(tmp_path), speaker.server) as world, speaker.upstream(world, far):
        await eventually(lambda: world.gate.routing.revision == world.version)
        limits = [each for each in LIMITS if each != "messages" or speaker.counts_messages]
        await asyncio.gather(*(fill(Cell(world, far, protocol, limit)) for limit in limits))
        await world.settled()
    assert failed == {}


async def test_gate_that_stops_tells_everybody_and_gives_back_what_is_left(tmp_path: Path) -> None:
    """As SIGTERM does it, after the grace: all protocols at once, and the ledger is right."""
    far, world = Far(), World(tmp_path)
    async with running(world), SPEAKERS["down"].upstream(world, far):
        await eventually(lambda: world.gate.routing.revision == world.version)
        cells = [Cell(world, far, each, "data") for each in ("down", "up", "events")]
        grants = [cell.sold() for cell in cells]
        speakers = await asyncio.gather(*map(Cell.begun, cells, grants))
        stopping = asyncio.ensure_future(world.stop())
        endings = await asyncio.gather(*(speaker.ending() for speaker in speakers))
        await stopping
        assert [ending.told for ending in endings] == ["", "gate-closing", "gate-closing"]
        assert {(ending.delivered, ending.is_whole) for ending in endings} == {(30, False)}
        charged = [[world.ledger.used_of(grant, index) for index in range(3)] for grant in grants]
        assert charged == [[30, 0, 30]] * 3
