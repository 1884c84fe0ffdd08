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
from tests.gateway.e2e.world import World, running
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
@pytest.mark.parametrize("kind", ["application/grpc", "application/octet-stream"])
async def test_messages_count_however_the_upstream_was_called(
    tmp_path: Path, upstream_port: int, protocol: Any, call: Any, kind: str
) -> None:
    async with running(World(tmp_path), protocol) as world:
        publish(world, upstream_port)
        seen = []
        for held in (3, 2):
            grant, token = paid(world, limits=messages("up", held))
            is_cut = await call(world, [*token, ("content-type", kind)])
            await world.settled()
            seen.append((is_cut, world.used(grant)))
    assert seen == [(False, 3), (True, 2)]


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
