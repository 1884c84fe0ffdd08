"""Messages to an upstream of HTTP/2 count by what it answers, whatever the caller says of them."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.http2.connection import Http2Protocol
from gateway.listening import HttpProtocol
from tests.gateway.e2e.speaking import TIMEOUTS
from tests.gateway.e2e.test_grpc import SERVICE, Echo, echo, messages, paid, upstream_port
from tests.gateway.e2e.world import World, eventually, running
from tests.gateway.http2.serving import body as body_of
from tests.gateway.http2.serving import serving, start
from tests.http2 import connected

__all__ = ["Echo", "echo", "upstream_port"]  # The fixtures.
PATH = f"/gate/files/{SERVICE}/Up"
THREE = b"\0\0\0\0\1x" * 3
RESOURCE_EXHAUSTED = "8"


def publish(world: World, port: int) -> None:
    world.publish(upstreams=[{"url": f"h2c://127.0.0.1:{port}"}], timeouts=TIMEOUTS)


async def over_http1(world: World, headers: list[tuple[str, str]]) -> bool:
    """Whether the call was refused, or ended, because nothing was left."""
    async with httpx.AsyncClient(trust_env=False) as caller:
        url = f"http://127.0.0.1:{world.port}{PATH}"
        return (await caller.post(url, headers=headers, content=THREE)).status_code == 402


async def over_http2(world: World, headers: list[tuple[str, str]]) -> bool:
    async with connected("127.0.0.1", world.port) as caller:
        asked = caller.head(PATH, method="POST", headers=headers)
        stream = await caller.begin(asked, end=False)
        await caller.upload(stream, THREE)
        heard = await caller.over(stream)
    ending = heard.trailers or heard.head
    return heard.status == "402" or ending.get("grpc-status") == RESOURCE_EXHAUSTED


@pytest.mark.parametrize(
    ("protocol", "call"),
    [(HttpProtocol, over_http1), (Http2Protocol, over_http2)],
    ids=["http1", "http2"],
)
@pytest.mark.parametrize(
    ("kind", "passed"), [("application/grpc", 2), ("application/octet-stream", 0)]
)
async def test_messages_count_however_the_upstream_was_called(
    tmp_path: Path, upstream_port: int, protocol: Any, call: Any, kind: str, passed: int
) -> None:
    """Who does not say that they are messages has all of them passed at once, or none."""
    async with running(World(tmp_path), protocol) as world:
        publish(world, upstream_port)
        seen = []
        for held in (3, 2):
            grant, token = paid(world, limits=messages("up", held))
            is_cut = await call(world, [*token, ("content-type", kind)])
            await world.settled()
            seen.append((is_cut, world.used(grant)))
    assert seen == [(False, 3), (True, passed)]


async def test_body_that_is_not_answered_by_grpc_has_no_messages(tmp_path: Path) -> None:
    async def application(_scope: Any, receive: Any, send: Any) -> None:
        came = await receive()
        await start(send)  # Some has passed by now, and some has not, perhaps.
        await body_of(send, came["body"], more=came["more_body"])
        while came["more_body"]:
            came = await receive()
            await body_of(send, came["body"], more=came["more_body"])

    async def body() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield bytes(20)
            await asyncio.sleep(0)

    async with running(World(tmp_path)) as world, serving(application) as (_, port):
        publish(world, port)
        grant, token = paid(world, limits=messages("up", 16))
        async with httpx.AsyncClient(trust_env=False) as caller:
            answer = await caller.post(f"{world.url}/a", headers=token, content=body())
        assert (answer.status_code, answer.content) == (200, bytes(80))
        await world.settled()
        assert world.used(grant) == 0


async def test_messages_that_nobody_named_are_charged_once_the_upstream_has_them(
    tmp_path: Path, upstream_port: int
) -> None:
    async with running(World(tmp_path)) as world:
        publish(world, upstream_port)
        grant, token = paid(world, limits=messages("up", 2))

        async def body() -> AsyncIterator[bytes]:
            yield THREE[:12]
            await eventually(lambda: world.leasing.allowance(grant).holdings[0].spent == 2)
            yield THREE[12:]

        async with httpx.AsyncClient(trust_env=False) as caller:
            url = f"http://127.0.0.1:{world.port}{PATH}"
            answer = await caller.post(url, headers=token, content=body())
        assert answer.status_code == 402
        await world.settled()
        assert world.used(grant) == 2


NO_MESSAGES = b"{" + bytes(6_000)
"""Not one of them, by its first byte, whatever follows."""
ZEROS = bytes(6_000)
"""As many messages of nothing, by all that can be told of it."""


class Depot:
    """Takes what it is sent, as any HTTP server does, and then answers."""

    def __init__(self) -> None:
        self.received = 0

    async def __call__(self, _scope: Any, receive: Any, send: Any) -> None:
        while (came := await receive())["type"] == "http.request":
            self.received += len(came["body"])
            if not came["more_body"]:
                break
        await start(send)
        await body_of(send, b"kept", more=False)


@pytest.mark.parametrize(
    ("content", "held", "status"),
    [(NO_MESSAGES, 1, 200), (ZEROS, 1_200, 200), (ZEROS, 1_000, 402)],
    ids=["no messages", "perhaps", "perhaps too many"],
)
async def test_plain_upload_is_not_charged_as_messages(
    tmp_path: Path, content: bytes, held: int, status: int
) -> None:
    depot = Depot()
    limits = [*messages("both", held), {"kind": "calls", "count": 10}]
    async with running(World(tmp_path)) as world, serving(depot) as (_, port):
        publish(world, port)
        grant, token = paid(world, limits=limits)
        async with httpx.AsyncClient(trust_env=False) as caller:
            answer = await caller.put(f"{world.url}/a", headers=token, content=content)
        assert answer.status_code == status
        await world.settled()
        is_served = status == 200
        assert [world.used(grant, index) for index in (0, 1)] == [0, int(is_served)]
    assert depot.received == (len(content) if is_served else 0)


async def test_answer_to_a_body_that_never_came_is_charged_when_its_client_leaves(
    tmp_path: Path,
) -> None:
    async def application(_scope: Any, receive: Any, send: Any) -> None:
        await start(send)
        await body_of(send, b"answer", more=True)
        while (await receive())["type"] != "http.disconnect":
            pass

    limits = [*messages("up", 5), {"kind": "data", "direction": "down", "bytes": 100}]
    async with running(World(tmp_path)) as world, serving(application) as (_, port):
        publish(world, port)
        grant, token = paid(world, limits=limits)
        lines = [f"{name}: {value}\r\n" for name, value in [*token, ("content-length", "10")]]
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        writer.write(f"POST {PATH} HTTP/1.1\r\nhost: a\r\n{''.join(lines)}\r\n".encode())
        await reader.readuntil(b"answer")
        writer.close()
        await world.settled()
        assert [world.used(grant, index) for index in (0, 1)] == [0, len("answer")]


async def test_body_that_was_refused_for_another_reason_costs_its_call(tmp_path: Path) -> None:
    async def growing() -> AsyncIterator[bytes]:
        yield bytes(2_000)

    depot = Depot()
    limits = [*messages("up", 5), {"kind": "calls", "count": 10}]
    async with running(World(tmp_path)) as world, serving(depot) as (_, port):
        upstreams = [{"url": f"h2c://127.0.0.1:{port}"}]
        world.publish(
            world.body(guards={"body_bytes": 1_000}, upstreams=upstreams, timeouts=TIMEOUTS)
        )
        grant, token = paid(world, limits=limits)
        async with httpx.AsyncClient(trust_env=False) as caller:
            answer = await caller.put(f"{world.url}/a", headers=token, content=growing())
        assert answer.status_code == 413
        await world.settled()
        assert [world.used(grant, index) for index in (0, 1)] == [0, 1]
