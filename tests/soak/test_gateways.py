"""Three gateway processes, one database and one Redis: limits hold for all of them together.

Redis is killed, frozen and flushed while they work. The short forms run in one process:
tests/gateway/e2e/test_redis.py and tests/gateway/ledgers/test_redis.py.
"""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import pytest
from pytest_django import DjangoDbBlocker
from redis import Redis

from tests import databases
from tests.gateway.e2e.upstreams import Reader, Request, Upstream, Writer
from tests.gateway.ledgers import test_redis
from tests.soak.calling import Call, at_once, make
from tests.soak.conftest import Cluster, started
from tests.soak.test_quotas import calls, used

FILE = "/gate/files/files/10.bin"
GATEWAYS = 3
RECOVERY_SECONDS = 5.0
SPEED = 1_500_000
pytestmark = [pytest.mark.soak, pytest.mark.timeout(600), test_redis.pytestmark]


@dataclass
class Three:
    cluster: Cluster
    redis: test_redis.Server

    async def grant(self, route: str, *limits: dict[str, object]) -> str:
        _, token = await databases.in_thread(self.cluster.grant, route, *limits)
        return token

    def calls(self, path: str, token: str, count: int) -> list[Call]:
        return [Call(url, token) for url in islice(self.cluster.urls(path), count)]

    async def count_together(self) -> None:
        """Until one gateway serves a whole rate: shares of it would be a third."""
        origin = self.cluster.server.origins[1]
        statuses: Counter[int] = Counter()
        while statuses[200] != 30:
            token = await self.grant("files/all", rate(30, 60))
            answers = await at_once([Call(f"{origin}{FILE}", token)] * 30)
            statuses = Counter(answer.status for answer in answers)


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Three]:
    home = tmp_path_factory.mktemp("three")
    url = databases.fresh_sqlite(home)
    with (
        test_redis.running(home) as redis,
        started(home, url, django_db_blocker, processes=GATEWAYS, redis_url=redis.url) as cluster,
    ):
        yield Three(cluster, redis)


@pytest.fixture
async def three(running: Three) -> Three:
    async with asyncio.timeout(30):
        await running.count_together()
    return running


def rate(count: int, window_seconds: int) -> dict[str, object]:
    return {"kind": "rate", "count": count, "window_seconds": window_seconds}


async def test_rate_serves_what_was_sold(three: Three) -> None:
    token = await three.grant("files/all", rate(100, 10))
    answers = await at_once(three.calls(FILE, token, 300))
    assert Counter(answer.status for answer in answers) == {200: 100, 429: 200}


class Slow(Upstream):
    """Counts how many calls it answers at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self.answering = self._slow

    async def _slow(self, request: Request, reader: Reader, writer: Writer) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.02)
        self.now -= 1
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")


async def test_concurrency_is_never_more_than_sold(three: Three) -> None:
    upstream = Slow()
    await upstream.start()
    await asyncio.to_thread(three.cluster.sell, "slow", f"http://127.0.0.1:{upstream.port}")
    token = await three.grant("slow/all", {"kind": "concurrency", "count": 5})
    statuses: Counter[int] = Counter()

    async def ask(calls: list[Call]) -> None:
        for call in calls:
            statuses[(await make(call)).status] += 1

    calls = three.calls("/gate/slow/", token, 900)
    async with asyncio.TaskGroup() as group:
        for number in range(30):
            group.create_task(ask(calls[number::30]))
    await upstream.stop()
    assert set(statuses) == {200, 429}
    assert upstream.most == 5


async def flood(request: Request, reader: Reader, writer: Writer) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
    while True:
        writer.write(b"x" * 65_536)
        await writer.drain()


async def test_bandwidth_is_what_was_sold_within_two_percent(three: Three) -> None:
    upstream = Upstream()
    upstream.answering = flood
    await upstream.start()
    await asyncio.to_thread(three.cluster.sell, "flood", f"http://127.0.0.1:{upstream.port}")
    sold = {"kind": "bandwidth", "direction": "down", "bytes_per_second": SPEED}
    token = await three.grant("flood/all", sold)
    came: list[tuple[float, int]] = []

    async def read(origin: str) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(origin.rpartition(":")[2]))
        writer.write(Call(f"{origin}/gate/flood/", token).encoded())
        await reader.readuntil(b"\r\n\r\n")
        try:
            async with asyncio.timeout(8):
                while piece := await reader.read(2**20):
                    came.append((time.monotonic(), len(piece)))
        except TimeoutError:
            writer.transport.abort()

    await asyncio.gather(*(read(origin) for origin in three.cluster.server.origins * 2))
    await upstream.stop()
    began = came[0][0] + 1.0  # When all of them run.
    total = sum(size for at, size in came if began <= at < began + 5.0)
    assert abs(total - 5 * SPEED) <= 0.02 * 5 * SPEED


def kill(redis: test_redis.Server) -> Callable[[], None]:
    redis.kill()
    return redis.start


def freeze(redis: test_redis.Server) -> Callable[[], None]:
    redis.process.send_signal(signal.SIGSTOP)
    return lambda: redis.process.send_signal(signal.SIGCONT)


def flush(redis: test_redis.Server) -> Callable[[], None]:
    with Redis.from_url(redis.url) as client:
        client.flushall()
    return lambda: None


@pytest.mark.parametrize("fault", [kill, freeze, flush])
async def test_failing_redis_over_grants_no_quota_and_answers_no_errors(
    three: Three, fault: Callable[[test_redis.Server], Callable[[], None]]
) -> None:
    quota = {"kind": "calls", "count": 1_000}
    lasting = await three.grant("files/all", rate(300, 1))
    short, token = await databases.in_thread(
        three.cluster.grant, "files/all", quota, rate(100_000, 60)
    )
    statuses: dict[str, Counter[int]] = {lasting: Counter(), token: Counter()}
    urls = three.cluster.urls(FILE)
    is_over = asyncio.Event()

    async def ask(presented: str) -> None:
        while not is_over.is_set():
            statuses[presented][(await make(Call(next(urls), presented))).status] += 1

    async with asyncio.TaskGroup() as group:
        for presented in [lasting, token] * 4:
            group.create_task(ask(presented))
        await asyncio.sleep(2)
        mend = await asyncio.to_thread(fault, three.redis)
        await asyncio.sleep(4)
        await asyncio.to_thread(mend)
        began = time.monotonic()
        await three.count_together()
        took = time.monotonic() - began
        is_over.set()
    assert set(statuses[lasting]) == {200, 429}
    assert took <= RECOVERY_SECONDS
    # The last calls of a quota may have to be asked for again: others held them.
    assert set(statuses[token]) <= {200, 402, 503}
    statuses[token] += await calls(three.cluster, FILE, token, 1_000)
    assert statuses[token][200] == 1_000
    assert await used(three.cluster, short) == 1_000
