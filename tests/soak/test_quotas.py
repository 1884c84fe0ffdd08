"""Never one unit over: four server processes, one database, real sockets."""

import asyncio
import time
from collections import Counter
from itertools import islice

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import InvalidStatus

from gateway.domain.closing import TRY_LATER
from gateway.domain.tokens import Grant
from gateway.models import Lease
from tests import databases
from tests.gateway.e2e.sockets import SocketUpstream, take_all
from tests.gateway.e2e.test_cuts import endless
from tests.gateway.e2e.upstreams import Reader, Request, Upstream, Writer
from tests.gateway.e2e.world import eventually
from tests.soak.calling import Call, at_once, begin, make
from tests.soak.conftest import Cluster
from tests.waiting import until

FILE = "/gate/files/files/10.bin"
STREAMS = 32
CALLERS = 8
ATTEMPTS_MAX = 5
RETRY_AFTER_SECONDS = 1.0


async def calls(cluster: Cluster, path: str, token: str, count: int) -> Counter[int]:
    """Statuses of calls at once. A 503 says that another process was too slow to answer for what
    it holds on lease, and to come again after a second: so it is done here, as a client would.
    """
    statuses: Counter[int] = Counter()
    for attempt in range(ATTEMPTS_MAX):
        waiting = count if attempt == 0 else statuses.pop(503, 0)
        if not waiting:
            break
        if attempt:
            await asyncio.sleep(RETRY_AFTER_SECONDS)
        urls = islice(cluster.urls(path), waiting)
        statuses.update(one.status for one in await at_once([Call(url, token) for url in urls]))
    return statuses


async def used(cluster: Cluster, grant: Grant) -> int:
    """What the ledger says, once no process holds anything of it any more."""

    def settled() -> bool:
        return not Lease.objects.filter(limiter__grant=grant.id).exists()

    await databases.in_thread(until, settled)
    return await databases.in_thread(cluster.used, grant)


async def test_thousand_requests_at_once_share_a_hundred_calls(cluster: Cluster) -> None:
    grant, token = await databases.in_thread(
        cluster.grant, "files/all", {"kind": "calls", "count": 100}
    )
    assert await calls(cluster, FILE, token, 1000) == {200: 100, 402: 900}
    assert await used(cluster, grant) == 100


async def last_calls(cluster: Cluster, rounds: int) -> None:
    for _ in range(rounds):
        _, token = await databases.in_thread(
            cluster.grant, "files/all", {"kind": "calls", "count": 1}
        )
        statuses = await calls(cluster, FILE, token, CALLERS)
        assert statuses == {200: 1, 402: CALLERS - 1}


async def test_last_call_is_served_once(cluster: Cluster) -> None:
    await last_calls(cluster, rounds=5)


@pytest.mark.soak
async def test_last_call_is_served_once_in_200_rounds(cluster: Cluster) -> None:
    await last_calls(cluster, rounds=200)


async def test_calls_spread_over_processes_with_leases_are_all_served(cluster: Cluster) -> None:
    _, token = await databases.in_thread(cluster.grant, "files/all", {"kind": "calls", "count": 50})
    served = [await make(Call(url, token)) for url in islice(cluster.urls(FILE), 50)]
    assert Counter(answer.status for answer in served) == {200: 50}
    assert (await make(Call(next(cluster.urls(FILE)), token))).status == 402


async def test_streams_at_once_get_every_byte_sold_and_none_over(cluster: Cluster) -> None:
    limit = 2_000_003
    grant, token = await databases.in_thread(
        cluster.grant, "files/all", {"kind": "data", "direction": "down", "bytes": limit}
    )
    path = "/gate/files/files/100000.bin"
    answers = await at_once([Call(url, token) for url in islice(cluster.urls(path), STREAMS)])
    assert sum(answer.body_bytes for answer in answers if answer.status == 200) == limit
    assert await used(cluster, grant) == limit


class Counted(Upstream):
    """Counts every body byte that it is sent, of broken bodies too."""

    def __init__(self) -> None:
        super().__init__()
        self.received = 0
        self.answering = self._count

    async def _count(self, request: Request, reader: Reader, writer: Writer) -> None:
        left = int(request.values("content-length")[0])
        while left and (piece := await reader.read(min(left, 65_536))):
            self.received += len(piece)
            left -= len(piece)
        if not left:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


async def test_uploads_at_once_deliver_every_byte_sold_and_none_over(cluster: Cluster) -> None:
    limit, upstream = 2_000_003, Counted()
    await upstream.start()
    address = f"http://127.0.0.1:{upstream.port}"
    await asyncio.to_thread(cluster.sell, "sink", address)
    grant, token = await databases.in_thread(
        cluster.grant, "sink/all", {"kind": "data", "direction": "up", "bytes": limit}
    )
    body = b"x" * 100_000
    urls = islice(cluster.urls("/gate/sink/"), STREAMS)
    try:
        answers = await at_once([Call(url, token, "POST", body) for url in urls])
    finally:
        await upstream.stop()
    assert upstream.received == limit, answers
    assert await used(cluster, grant) == limit, answers


async def flood(peer: ServerConnection) -> None:
    while True:
        await peer.send("x" * 100)
        await asyncio.sleep(0)


async def received(url: str, token: str) -> int:
    """Messages until the gate has enough; refused at once where another took the last.

    Where another process was too slow to answer (503, 1013) it comes again, as `calls` does.
    """
    headers, count = {"apicharge": token}, 0
    for _ in range(ATTEMPTS_MAX):
        try:
            async with connect(f"ws{url[4:]}", additional_headers=headers, proxy=None) as client:
                count += len(await take_all(client))
            if client.close_code != TRY_LATER:
                break
        except InvalidStatus as refused:
            if refused.response.status_code == 402:
                break
            if refused.response.status_code != 503:
                raise
        await asyncio.sleep(RETRY_AFTER_SECONDS)
    return count


async def test_websockets_at_once_get_every_message_sold_and_none_over(cluster: Cluster) -> None:
    limit, upstream = 3_001, SocketUpstream()
    upstream.talk = flood
    await upstream.start()
    await asyncio.to_thread(cluster.sell, "socket", f"ws://127.0.0.1:{upstream.port}")
    sold = {"kind": "messages", "direction": "down", "count": limit}
    grant, token = await databases.in_thread(cluster.grant, "socket/all", sold)
    urls = islice(cluster.urls("/gate/socket/"), STREAMS)
    try:
        counts = await asyncio.gather(*(received(url, token) for url in urls))
        await eventually(lambda: upstream.open == 0)
    finally:
        await upstream.stop()
    assert sum(counts) == limit, counts
    assert await used(cluster, grant) == limit


@pytest.mark.parametrize("clients", [40, pytest.param(1000, marks=pytest.mark.soak)])
async def test_clients_that_leave_give_everything_back_within_two_seconds(
    cluster: Cluster, clients: int
) -> None:
    upstream = Upstream()
    upstream.answering = endless()
    await upstream.start()
    slug = f"endless-{clients}"
    await asyncio.to_thread(cluster.sell, slug, f"http://127.0.0.1:{upstream.port}")
    grant, token = await databases.in_thread(
        cluster.grant,
        f"{slug}/all",
        {"kind": "calls", "count": clients},
        {"kind": "data", "direction": "down", "bytes": 10**12},
    )
    calls = [Call(url, token) for url in islice(cluster.urls(f"/gate/{slug}/"), clients)]
    opened = await asyncio.gather(*(begin(call) for call in calls))
    for writer in opened:
        writer.transport.abort()
    began = time.monotonic()
    async with asyncio.timeout(10):
        await asyncio.gather(*(gone.wait() for gone in upstream.closed))
        assert await used(cluster, grant) == clients
    took = time.monotonic() - began
    await upstream.stop()
    assert len(upstream.closed) == clients
    assert clients < 1000 or took <= 2


async def test_stopped_processes_end_well_and_leave_no_lease(cluster: Cluster) -> None:
    grant, token = await databases.in_thread(
        cluster.grant, "files/all", {"kind": "calls", "count": 500}
    )
    assert await calls(cluster, FILE, token, 40) == {200: 40}
    assert await asyncio.to_thread(cluster.server.stop) == [0, 0, 0, 0]
    assert not await databases.in_thread(Lease.objects.exists)
    assert await databases.in_thread(cluster.used, grant) == 40
    await asyncio.to_thread(cluster.server.start)
