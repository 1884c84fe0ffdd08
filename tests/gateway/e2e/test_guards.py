"""Guards over real sockets: for strangers, for buyers, and never at the cost of what was sold."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway import watching
from gateway.domain.guards import Pace
from tests.gateway.e2e.upstreams import Reader, Request, Writer, whole
from tests.gateway.e2e.world import CALLS, World, eventually, running, token

OTHER_SEED = b"7" * 32


@contextlib.asynccontextmanager
async def guarded(home: Path, **options: Any) -> AsyncIterator[World]:
    async with running(World(home, **options)) as world:
        yield world


def guard(world: World, **guards: int) -> None:
    world.publish(world.body(guards=guards))


async def statuses(
    world: World, client: httpx.AsyncClient, times: int, **headers: str
) -> list[int]:
    answers = [await client.get(f"{world.url}/a", headers=headers) for _ in range(times)]
    return [answer.status_code for answer in answers]


async def test_strangers_are_answered_so_often_and_buyers_always(
    tmp_path: Path, client: httpx.AsyncClient
) -> None:
    async with guarded(tmp_path, strangers=Pace(3, 60)) as world:
        assert await statuses(world, client, 5) == [402, 402, 402, 429, 429]
        refused = await client.get(f"{world.url}/a")
        assert refused.json()["type"].endswith("/problems/too-many-from-here")
        assert int(refused.headers["retry-after"]) == 20
        assert (await client.get(f"{world.url}/%2f")).status_code == 429
        # A token that was never seen, and one that was.
        presented = token(world.grant())
        assert await statuses(world, client, 5, apicharge=presented) == [200] * 5
        assert world.gate.guarding.refused["too-many-from-here"] == 4


async def test_after_many_bad_tokens_only_known_ones_are_looked_at(
    tmp_path: Path, client: httpx.AsyncClient
) -> None:
    async with guarded(tmp_path, strangers=Pace(3, 60)) as world:
        known, unknown = token(world.grant()), token(world.grant())
        assert await statuses(world, client, 1, apicharge=known) == [200]
        forged = [token(world.grant(), seed=OTHER_SEED) for _ in range(5)]
        answers = [(await statuses(world, client, 1, apicharge=each))[0] for each in forged]
        assert answers == [401, 401, 401, 429, 429]
        assert await statuses(world, client, 1, apicharge=unknown) == [429]
        assert await statuses(world, client, 3, apicharge=known) == [200] * 3


async def test_valid_token_that_is_refused_is_told_why_however_busy_strangers_are(
    tmp_path: Path, client: httpx.AsyncClient
) -> None:
    async with guarded(tmp_path, strangers=Pace(1, 60)) as world:
        assert await statuses(world, client, 2) == [402, 429]
        stale = token(world.grant(), expires_in=-5)
        assert await statuses(world, client, 3, apicharge=stale) == [401] * 3


async def test_guarded_route_takes_so_many_calls_of_an_address(
    world: World, client: httpx.AsyncClient
) -> None:
    guard(world, client_requests=2, client_window_s=60)
    grant = world.grant()
    presented = token(grant)
    assert await statuses(world, client, 4, apicharge=presented) == [200, 200, 429, 429]
    await world.settled()
    assert world.used(grant) == 2
    assert len(world.upstream.requests) == 2


async def test_concurrency_of_a_route_is_counted_until_the_call_ends(
    world: World, client: httpx.AsyncClient
) -> None:
    guard(world, concurrency=1)
    release = asyncio.Event()

    async def waiting(request: Request, reader: Reader, writer: Writer) -> None:
        await release.wait()
        await whole()(request, reader, writer)

    world.upstream.answering = waiting
    presented = token(world.grant())
    first = asyncio.ensure_future(client.get(f"{world.url}/a", headers={"apicharge": presented}))
    await eventually(lambda: world.upstream.requests)
    busy = await client.get(f"{world.url}/a", headers={"apicharge": presented})
    assert (busy.status_code, busy.headers["retry-after"]) == (429, "1")
    assert busy.json()["type"].endswith("/problems/route-busy")
    wide = token(world.grant(limits=[*CALLS, {"kind": "concurrency", "count": 5}]))
    second = asyncio.ensure_future(client.get(f"{world.url}/a", headers={"apicharge": wide}))
    await eventually(lambda: len(world.upstream.requests) == 2)
    release.set()
    assert [(await first).status_code, (await second).status_code] == [200, 200]
    assert world.gate.guarding.running == 0
    assert await statuses(world, client, 1, apicharge=presented) == [200]


async def test_client_that_leaves_gives_its_place_back(world: World) -> None:
    guard(world, client_concurrency=1)
    asked = asyncio.Event()

    async def never(request: Request, reader: Reader, writer: Writer) -> None:
        asked.set()
        await reader.read()

    world.upstream.answering = never
    presented = token(world.grant())
    _, writer = await world.connect()
    writer.write(
        b"GET /gate/files/a HTTP/1.1\r\nHost: x\r\napicharge: %s\r\n\r\n" % presented.encode()
    )
    await asked.wait()
    assert world.gate.guarding.running == 1
    writer.transport.abort()
    await eventually(lambda: world.gate.guarding.running == 0)


async def test_grant_from_before_the_guard_keeps_what_was_sold(
    world: World, client: httpx.AsyncClient
) -> None:
    guard(world, since=int(time.time()) + 60, requests=1, window_s=60, body_bytes=1)
    presented = token(world.grant())
    assert await statuses(world, client, 3, apicharge=presented) == [200] * 3
    posted = await client.post(f"{world.url}/a", headers={"apicharge": presented}, content=b"12")
    assert posted.status_code == 200


async def test_body_that_is_announced_too_large_is_never_read(
    world: World, client: httpx.AsyncClient
) -> None:
    guard(world, body_bytes=1000)
    grant = world.grant()
    headers = {"apicharge": token(grant)}
    answer = await client.post(f"{world.url}/a", headers=headers, content=b"x" * 1001)
    assert answer.status_code == 413
    assert answer.json()["type"].endswith("/problems/body-too-large")
    assert "apicharge-expires" in answer.headers
    assert world.upstream.requests == []
    exact = await client.post(f"{world.url}/a", headers=headers, content=b"x" * 1000)
    assert exact.status_code == 200


async def test_body_that_grows_too_large_is_cut_and_charged_as_one_who_left(
    world: World, client: httpx.AsyncClient
) -> None:
    guard(world, body_bytes=1000)
    grant = world.grant()

    async def growing() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x" * 400

    answer = await client.post(
        f"{world.url}/a", headers={"apicharge": token(grant)}, content=growing()
    )
    assert answer.status_code == 413
    await world.settled()
    assert world.used(grant) == 1


async def test_client_that_falls_silent_within_its_body_is_told_408(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.01)
    guard(world, idle_ms=200)
    reader, writer = await world.connect()
    presented = token(world.grant()).encode()
    writer.write(
        b"POST /gate/files/a HTTP/1.1\r\nHost: x\r\napicharge: %s\r\n"
        b"Content-Length: 10\r\n\r\n12345" % presented
    )
    line = await asyncio.wait_for(reader.readline(), 10)
    assert line.startswith(b"HTTP/1.1 408 ")
    body = await asyncio.wait_for(reader.readuntil(b"}"), 10)
    assert b"/problems/request-stalled" in body


async def test_slow_answer_is_not_the_clients_silence(
    world: World, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.01)
    guard(world, idle_ms=50)

    async def slow(request: Request, reader: Reader, writer: Writer) -> None:
        await asyncio.sleep(0.3)
        await whole()(request, reader, writer)

    world.upstream.answering = slow
    answer = await client.post(
        f"{world.url}/a", headers={"apicharge": token(world.grant())}, content=b"x"
    )
    assert answer.status_code == 200


async def test_buyers_are_told_of_guards_before_they_buy(
    world: World, client: httpx.AsyncClient
) -> None:
    plain = await client.get(f"{world.url}/a")
    assert "guards" not in plain.json()
    guard(world, concurrency=3)
    answer = await client.get(f"{world.url}/a")
    assert answer.json()["guards"] == ["at most 3 at a time from all together"]
