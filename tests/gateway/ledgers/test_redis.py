"""Rates across nodes: three of them on one real Redis, which is killed, frozen and flushed."""

import asyncio
import json
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import pytest
from redis.asyncio import Redis

from gateway.domain.limits import Direction, Limit, parse_limits
from gateway.ledgers.redis import PREFIX, RedisRates
from gateway.ledgers.turnstiles import RedisStanding
from tests.promptness import is_to_the_letter, within
from tests.waiting import until

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "rates.json").read_text())
SERVER = shutil.which("redis-server")
NOW_S = 1_790_000_000.0
pytestmark = pytest.mark.skipif(SERVER is None, reason="redis-server is not installed")


class Server:
    def __init__(self, home: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.home = home
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        assert SERVER is not None
        self.process = subprocess.Popen(
            [
                *(SERVER, "--port", str(self.port), "--bind", "127.0.0.1"),
                *("--dir", str(self.home), "--logfile", str(self.home / "redis.log")),
                *("--save", "", "--appendonly", "no"),
            ]
        )
        until(self._answers)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()


@contextmanager
def running(home: Path) -> Iterator[Server]:
    server = Server(home)
    server.start()
    try:
        yield server
    finally:
        server.kill()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with running(tmp_path) as started:
        yield started


@asynccontextmanager
async def nodes(server: Server, count: int = 3) -> AsyncIterator[list[RedisRates]]:
    each = [RedisRates(server.url) for _ in range(count)]
    for node in each:
        await node.start()
    await eventually(lambda: all(node.is_trusted and node.nodes == count for node in each))
    try:
        yield each
    finally:
        for node in each:
            await node.stop()


async def eventually(condition: object, seconds: float = 8.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # type: ignore[operator]  # noqa: ASYNC110 - state of three nodes
            await asyncio.sleep(0.02)


def standings(each: list[RedisRates], *limits: dict[str, object]) -> list[RedisStanding]:
    parsed: tuple[Limit, ...] = parse_limits(list(limits))
    made = [node.standing("a" * 64, parsed) for node in each]
    assert all(isinstance(standing, RedisStanding) for standing in made)
    return made  # type: ignore[return-value]


async def ask_all(of: list[RedisStanding], count: int) -> list[bool]:
    answers = await asyncio.gather(*(of[number % len(of)].obtain(NOW_S) for number in range(count)))
    return [answer is None for answer in answers]


@pytest.mark.parametrize("vector", VECTORS["rate"], ids=lambda vector: vector["about"])
async def test_rate_script_is_the_twin_of_the_arithmetic(server: Server, vector: dict) -> None:  # type: ignore[type-arg]
    async with nodes(server, 1) as [node]:
        [limit] = parse_limits([vector["limit"]])
        for step in vector["steps"]:
            wanted = -step["undo"] if "undo" in step else step["wanted"]
            granted, wait_us, left = await node.ask(  # type: ignore[misc]
                *("rate", "vector", wanted, limit.count, limit.window_seconds * 10**6),  # type: ignore[union-attr]
                *(limit.burst or 0, step["now_us"]),  # type: ignore[union-attr]
            )
            assert granted == step.get("granted", 0), step
            assert (wait_us, left) == (step["wait_us"], step["left"]), step


async def test_bandwidth_script_is_the_twin_of_the_arithmetic(server: Server) -> None:
    async with nodes(server, 1) as [node]:
        for vector in VECTORS["bandwidth"]:
            [limit] = parse_limits([vector["limit"]])
            terms = limit.terms()
            speed, window = terms["bytes_per_second"], terms["window_seconds"]
            for step in vector["steps"]:
                answer = await node.ask(
                    *("bandwidth", vector["about"], step["wanted"], speed, window, step["now_us"])  # type: ignore[arg-type]
                )
                assert answer == [step["granted"]], step


async def test_rate_over_three_nodes_serves_exactly_what_was_sold(server: Server) -> None:
    async with nodes(server) as each:
        of = standings(each, {"kind": "rate", "count": 100, "window_seconds": 10})
        assert sum(await ask_all(of, 300)) == 100
        assert sum(await ask_all(of, 30)) == 0
        assert sum(node.fallbacks for node in each) == 0


async def test_concurrency_over_three_nodes_is_never_more_than_sold(server: Server) -> None:
    async with nodes(server) as each:
        of = standings(each, {"kind": "concurrency", "count": 5})
        now, most = 0, 0

        async def call(standing: RedisStanding) -> None:
            nonlocal now, most
            for _ in range(40):
                if await standing.obtain(NOW_S) is None:
                    now += 1
                    most = max(most, now)
                    await asyncio.sleep(0.001)
                    now -= 1
                    standing.release()
                await asyncio.sleep(0)

        await asyncio.gather(*(call(of[number % 3]) for number in range(30)))
        assert most == 5
        redis = Redis.from_url(server.url)
        key = f"{PREFIX}:{'a' * 64}:0"
        deadline = time.monotonic() + 2
        while await redis.exists(key):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
        await redis.aclose()


async def test_a_refusal_by_a_later_limit_gives_the_earlier_back(server: Server) -> None:
    async with nodes(server, 1) as each:
        rate = {"kind": "rate", "count": 10, "window_seconds": 60}
        [one] = standings(each, rate, {"kind": "concurrency", "count": 1})
        assert await ask_all([one], 5) == [True, False, False, False, False]
        one.release()
        await asyncio.sleep(0.1)
        served = 0
        for _ in range(20):
            if await one.obtain(NOW_S) is None:
                served += 1
                one.release()
        assert served == 9


async def drink(standing: RedisStanding, seconds: float) -> int:
    [pacer] = standing.pacers[Direction.DOWN]
    total, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        total += await pacer.take(65_536)
    return total


async def test_one_bandwidth_over_three_nodes_is_exact_over_five_seconds(server: Server) -> None:
    async with nodes(server) as each:
        limit = {"kind": "bandwidth", "direction": "down", "bytes_per_second": 2_000_000}
        of = standings(each, limit)
        began = time.monotonic()
        totals = await asyncio.gather(*(drink(standing, 5.0) for standing in of for _ in range(2)))
        sold = 2_000_000 * (time.monotonic() - began)
        assert sum(totals) <= 1.02 * sold
        assert sum(totals) >= (0.98 if is_to_the_letter() else 0.5) * sold
        assert min(totals) > 0


async def test_killed_redis_is_fair_shares_and_back_within_five_seconds(server: Server) -> None:
    async with nodes(server) as each:
        of = standings(each, {"kind": "rate", "count": 90, "window_seconds": 60})
        assert sum(await ask_all(of, 30)) == 30
        server.kill()
        began = time.monotonic()
        served = sum(await ask_all(of, 300))
        assert time.monotonic() - began < within(1.5)
        assert served == 60
        assert all(node.outages == 1 for node in each)
        server.start()
        began = time.monotonic()
        await eventually(lambda: all(node.is_trusted for node in each))
        assert time.monotonic() - began < within(5)


async def test_frozen_redis_stalls_no_loop_and_exceeds_no_concurrency(server: Server) -> None:
    async with nodes(server) as each:
        of = standings(each, {"kind": "concurrency", "count": 6})
        assert sum(await ask_all(of, 3)) == 3
        server.process.send_signal(signal.SIGSTOP)
        late, asking = 0.0, asyncio.ensure_future(ask_all(of, 60))
        while not asking.done():
            asked = time.perf_counter()
            await asyncio.sleep(0.005)
            late = max(late, time.perf_counter() - asked - 0.005)
        assert sum(asking.result()) == 3
        assert late < within(0.2)
        server.process.send_signal(signal.SIGCONT)
        await eventually(lambda: all(node.is_trusted for node in each), within(5))
        assert sum(await ask_all(of, 30)) == 0


async def test_flushed_redis_is_told_again_what_runs(server: Server) -> None:
    async with nodes(server) as each:
        of = standings(each, {"kind": "concurrency", "count": 6})
        assert sum(await ask_all(of, 6)) == 6
        redis = Redis.from_url(server.url)
        await redis.flushall()
        await redis.aclose()
        await eventually(lambda: all(not node.is_trusted for node in each), within(2))
        assert sum(await ask_all(of, 30)) == 0
        await eventually(lambda: all(node.is_trusted for node in each), within(5))
        assert sum(await ask_all(of, 30)) == 0


class Deaf(RedisRates):
    """Its commands lose a cancellation, as a client can whose connection breaks meanwhile."""

    async def call(self, script: str, key: str, *arguments: str | int) -> list[int] | None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0.1)
        return None


async def test_a_node_stops_whatever_its_command_makes_of_it() -> None:
    node = Deaf("redis://127.0.0.1:1/0")
    async with asyncio.timeout(10):
        await node.start()
        await asyncio.sleep(0.55)  # In the middle of a beat, more likely than not.
        await node.stop()
