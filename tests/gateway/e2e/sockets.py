"""A WebSocket upstream that does what a test says, and clients that meet it through the gate."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.http11 import Request, Response

from gateway.domain.closing import Close
from tests.gateway.e2e.world import World

Talk = Callable[[ServerConnection], Awaitable[None]]


async def echo(peer: ServerConnection) -> None:
    async for message in peer:
        await peer.send(message)


class SocketUpstream:
    def __init__(self) -> None:
        self.talk: Talk = echo
        self.refuse: Callable[[ServerConnection, Request], Response | None] = lambda *_: None
        self.peers: list[ServerConnection] = []
        self.heard: list[str | bytes] = []
        self.options: dict[str, Any] = {"max_size": None, "compression": "deflate"}

    async def start(self) -> None:
        self._server: Server = await serve(
            self._talk,
            "127.0.0.1",
            0,
            process_request=self._ask,
            **self.options,
        )
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def stop(self) -> None:
        self._server.close(close_connections=False)
        for peer in self.peers:
            peer.transport.abort()
        await asyncio.wait_for(self._server.wait_closed(), 10)

    @property
    def open(self) -> int:
        return len(self._server.connections)

    def _ask(self, peer: ServerConnection, request: Request) -> Response | None:
        return self.refuse(peer, request)

    async def _talk(self, peer: ServerConnection) -> None:
        self.peers.append(peer)
        with contextlib.suppress(ConnectionClosed):
            await self.talk(peer)

    async def closes(self, number: int = 0) -> Close:
        peer = self.peers[number]
        await asyncio.wait_for(peer.wait_closed(), 10)
        assert peer.close_code is not None
        return Close(peer.close_code, peer.close_reason or "")

    async def listen(self, peer: ServerConnection) -> None:
        """Say nothing, remember everything."""
        async for message in peer:
            self.heard.append(message)


def publish(world: World, sockets: SocketUpstream, scheme: str = "ws", **service: Any) -> None:
    described = {"upstreams": [{"url": f"{scheme}://127.0.0.1:{sockets.port}/base"}], **service}
    world.publish(**described)


def opening(world: World, presented: str | None = None, path: str = "/a", **options: Any) -> Any:
    """`async with opening(…) as client` or `await opening(…)`."""
    headers = {} if presented is None else {"apicharge": presented}
    headers |= options.pop("headers", {})
    url = f"ws://127.0.0.1:{world.port}/gate/files{path}"
    settings = {"proxy": None, "compression": None, "max_size": None, **options}
    return connect(url, additional_headers=headers, **settings)


async def refused(world: World, presented: str) -> Response:
    """The answer to a handshake, when it is not a WebSocket."""
    with pytest.raises(InvalidStatus) as raised:
        await opening(world, presented)
    return raised.value.response


async def closed(client: ClientConnection) -> Close:
    """How the gate ends it."""
    await asyncio.wait_for(client.wait_closed(), 10)
    assert client.close_code is not None
    return Close(client.close_code, client.close_reason or "")


async def take_all(client: ClientConnection) -> list[str | bytes]:
    taken = []
    with contextlib.suppress(ConnectionClosed):
        while True:
            taken.append(await client.recv())
    return taken


@pytest.fixture
async def sockets(world: World) -> AsyncIterator[SocketUpstream]:
    upstream = SocketUpstream()
    await upstream.start()
    publish(world, upstream)
    await asyncio.sleep(0)  # The loop takes the snapshot over.
    yield upstream
    await upstream.stop()
