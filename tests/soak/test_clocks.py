"""Streams end when their grant does, by a clock that nobody can set."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker

from benchmarks.figures import percentile
from tests import databases
from tests.gateway.e2e.test_cuts import endless
from tests.gateway.e2e.upstreams import Upstream
from tests.gateway.e2e.world import eventually
from tests.soak.calling import Call, make
from tests.soak.conftest import Cluster, started

HOUR = 3600
LIMITS: list[dict[str, object]] = [
    {"kind": "calls", "count": 1_000, "window_seconds": 60},
    {"kind": "data", "direction": "both", "bytes": 10**9, "window_seconds": 600},
    {"kind": "rate", "count": 1_000, "window_seconds": 60},
    {"kind": "concurrency", "count": 200},
    {"kind": "bandwidth", "direction": "down", "bytes_per_second": 10**6},
]
EARLY_SECONDS = 0.05
"""Two clocks of one machine do not show the same microsecond."""


class Clocked:
    """A gateway whose wall clock can be set, and how to get at what it gates."""

    def __init__(self, cluster: Cluster, wall: Path) -> None:
        self.cluster = cluster
        self._wall = wall
        self._slugs = (f"speaking-{number}" for number in itertools.count())

    def step(self, seconds: int) -> None:
        following = self._wall.with_suffix(".new")
        following.write_text(str(seconds))
        following.replace(self._wall)

    def sell(self, upstream: Upstream) -> None:
        self.slug = next(self._slugs)
        self.cluster.sell(self.slug, f"http://127.0.0.1:{upstream.port}")

    async def stream(self, **changes: object) -> "Stream":
        _, token = await databases.in_thread(
            self.cluster.grant, f"{self.slug}/all", *LIMITS, **changes
        )
        return Stream(self.cluster.server.origin, f"/gate/{self.slug}/", token)


class Stream:
    """One answer that is read until the gate ends it."""

    def __init__(self, origin: str, path: str, token: str) -> None:
        self.call = Call(f"{origin}{path}", token)
        self._port = int(origin.rpartition(":")[2])
        self._head = f"GET {path} HTTP/1.1\r\nHost: x\r\napicharge: {token}\r\n\r\n"
        self.opened = asyncio.Event()
        self.bytes = 0

    async def read(self) -> float:
        """When it ended, by this machine's wall clock."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(self._head.encode())
        try:
            answered = await reader.readuntil(b"\r\n\r\n")
            assert answered.startswith(b"HTTP/1.1 200"), answered
            self.opened.set()
            while piece := await reader.read(65_536):
                self.bytes += len(piece)
        except ConnectionResetError:
            pass
        finally:
            writer.close()
        return time.time()


@pytest.fixture(scope="module")
def clocked(
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Clocked]:
    home = tmp_path_factory.mktemp("clocked")
    wall = home / "wall"
    wall.write_text("0")
    url = databases.fresh_sqlite(home)
    prefix = ("tests.soak.stepping", str(wall))
    with started(home, url, django_db_blocker, processes=1, prefix=prefix) as cluster:
        yield Clocked(cluster, wall)


@pytest.fixture
async def speaking(clocked: Clocked) -> AsyncIterator[Clocked]:
    """With somebody behind it who says something fifty times a second, for ever."""
    upstream = Upstream()
    upstream.answering = endless("text/event-stream", b"data: tick\n\n")
    await upstream.start()
    await asyncio.to_thread(clocked.sell, upstream)
    yield clocked
    clocked.step(0)
    await upstream.stop()


async def lateness(speaking: Clocked, count: int, seconds: int) -> list[float]:
    """How long after their grants' end that many streams ended."""
    ends_at = int(time.time()) + seconds
    streams = [await speaking.stream(expires_at=ends_at) for _ in range(count)]
    ended = await asyncio.gather(*(stream.read() for stream in streams))
    assert all(stream.bytes for stream in streams)
    return [at - ends_at for at in ended]


async def test_live_streams_are_cut_when_their_grants_end(speaking: Clocked) -> None:
    assert min(await lateness(speaking, 10, seconds=4)) >= -EARLY_SECONDS


@pytest.mark.soak
async def test_hundred_live_streams_are_cut_within_a_quarter_of_a_second(speaking: Clocked) -> None:
    late = await lateness(speaking, 100, seconds=8)
    assert min(late) >= -EARLY_SECONDS
    assert percentile(late, 0.99) <= 0.25


async def test_steps_of_the_wall_clock_change_nothing_for_running_streams(
    speaking: Clocked,
) -> None:
    ends_at = int(time.time()) + 7
    lasting, ending = await speaking.stream(), await speaking.stream(expires_at=ends_at)
    running = [asyncio.ensure_future(stream.read()) for stream in (lasting, ending)]
    async with asyncio.timeout(60):
        await asyncio.gather(lasting.opened.wait(), ending.opened.wait())
        for seconds in (HOUR, -HOUR):
            speaking.step(seconds)
            before = lasting.bytes, ending.bytes
            await asyncio.sleep(2)
            assert lasting.bytes > before[0]
            assert ending.bytes > before[1]
            if seconds > 0:  # Calls that begin now are judged by the clock as it is: it did step.
                assert (await make(ending.call)).status == 402
        assert await running[1] - ends_at >= -EARLY_SECONDS
        before = lasting.bytes, 0
        await eventually(lambda: lasting.bytes > before[0] + 500)
    assert not running[0].done()
    running[0].cancel()
    await asyncio.gather(running[0], return_exceptions=True)
