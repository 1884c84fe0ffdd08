"""Changes reach a running gate within a second and drop nothing."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from gateway.conf import Ports
from gateway.domain import ed25519
from gateway.ledgers import booking
from gateway.ledgers.booking import Bookings
from gateway.ledgers.database import DatabaseLedger
from gateway.ledgers.opening import open_ledger
from gateway.ledgers.reading import usage_of
from gateway.ledgers.revoking import revoke
from gateway.snapshots import Snapshots
from tests import publications
from tests.databases import in_thread
from tests.gateway.e2e.upstreams import Reader, Request, Upstream, Writer, whole
from tests.gateway.e2e.world import World, eventually, running, token
from tests.promptness import within


@pytest.fixture
async def world(tmp_path: Path, database: str) -> AsyncIterator[World]:
    """The gate on the real ledger and the real snapshots, on each database."""
    world = World(tmp_path, ledger=DatabaseLedger(), source=Snapshots(prefix="/gate/"))
    await world.upstream.start()
    await in_thread(publications.publish, world.body())
    async with running(world):
        yield world


async def test_call_is_counted_in_its_row(world: World, client: httpx.AsyncClient) -> None:
    grant = world.grant(limits=[{"kind": "calls", "count": 3}])
    await in_thread(open_ledger, grant)
    headers = {"apicharge": token(grant)}
    statuses = [(await client.get(f"{world.url}/a", headers=headers)).status_code for _ in range(5)]
    assert statuses == [200, 200, 200, 402, 402]
    usage = await in_thread(usage_of, grant.id, time.time())
    assert usage is not None
    assert [limit.used for limit in usage.limits] == [3]


async def test_change_is_followed_within_a_second_and_no_request_is_dropped(
    world: World, client: httpx.AsyncClient
) -> None:
    grant = world.grant()
    await in_thread(open_ledger, grant)
    headers = {"apicharge": token(grant)}
    other = Upstream()
    other.answering = whole(b"other")
    await other.start()
    answers: list[httpx.Response] = []
    done = asyncio.Event()

    async def ask() -> None:
        while not done.is_set():
            answers.append(await client.get(f"{world.url}/a", headers=headers))

    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(ask())
        await eventually(lambda: len(answers) > 20)
        body = world.body(upstreams=[{"url": f"http://127.0.0.1:{other.port}"}])
        await in_thread(publications.publish, body)
        changed_at = time.monotonic()
        await eventually(lambda: answers[-1].text == "other")
        assert time.monotonic() - changed_at < within(1)
        done.set()
    await other.stop()
    assert {answer.status_code for answer in answers} == {200}


async def test_revocation_is_followed_within_a_second(
    world: World, client: httpx.AsyncClient
) -> None:
    grant = world.grant()
    await in_thread(open_ledger, grant)
    headers = {"apicharge": token(grant)}
    assert (await client.get(f"{world.url}/a", headers=headers)).status_code == 200
    await in_thread(revoke, grant.id)
    revoked_at = time.monotonic()
    while (await client.get(f"{world.url}/a", headers=headers)).status_code == 200:
        assert time.monotonic() - revoked_at < within(1)


async def test_new_key_opens_and_withdrawn_key_closes(
    world: World, client: httpx.AsyncClient
) -> None:
    grant = world.grant()
    await in_thread(open_ledger, grant)
    headers = {"apicharge": token(grant)}
    assert (await client.get(f"{world.url}/a", headers=headers)).status_code == 200
    other = {"other": ed25519.public_key(b"k" * 32).hex()}
    await in_thread(publications.publish, {**world.body(), "keys": other})
    routing = world.gate.routing
    await eventually(lambda: routing.table is not None and "other" in routing.table.keys, within(1))
    assert (await client.get(f"{world.url}/a", headers=headers)).status_code == 401


async def test_what_a_stream_consumed_ends_it_within_a_second(
    world: World, client: httpx.AsyncClient
) -> None:
    """Booked to the unit, also what nodes had leased; told in band."""
    credits = [{"kind": "credits", "credits": 50, "max_per_call": 10}]  # noqa: A001
    grant = world.grant(limits=credits)
    await in_thread(open_ledger, grant)
    world.upstream.answering = endless_events
    headers = {"apicharge": token(grant), "accept": "text/event-stream"}
    got, consumed_at = b"", 0.0
    with contextlib.suppress(httpx.RemoteProtocolError):
        async with client.stream("GET", f"{world.url}/a", headers=headers) as answer:
            async for chunk in answer.aiter_raw():
                if not got:
                    await in_thread(booking.consume, grant.id, "a", 30)
                    await in_thread(booking.consume, grant.id, "b", 20)
                    consumed_at = time.monotonic()
                got += chunk
    assert time.monotonic() - consumed_at < within(1.0)
    assert b"event: error" in got
    await world.settled()
    refused = await client.get(f"{world.url}/a", headers=headers)
    assert refused.status_code == 402
    usage = await in_thread(usage_of, grant.id, time.time())
    assert usage is not None
    assert usage.limits[0].left == 0


async def test_what_an_answer_gives_is_there_for_the_next_call(
    tmp_path: Path, database: str, client: httpx.AsyncClient
) -> None:
    world = World(
        tmp_path,
        ledger=DatabaseLedger(),
        source=Snapshots(prefix="/gate/"),
        ports=Ports(bookings=Bookings()),
    )
    await world.upstream.start()
    await in_thread(publications.publish, world.body())
    world.upstream.answering = whole(b"1", "200 OK", "ApiCharge-Adjust: credits=+2")
    async with running(world):
        grant = world.grant(limits=[{"kind": "credits", "credits": 1}])
        await in_thread(open_ledger, grant)
        headers = {"apicharge": token(grant)}
        assert (await client.get(f"{world.url}/a", headers=headers)).status_code == 200
        world.upstream.answering = whole(b"2")
        answers = [await client.get(f"{world.url}/a", headers=headers) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 402]


async def endless_events(request: Request, reader: Reader, writer: Writer) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
    await writer.drain()
    await reader.read()
