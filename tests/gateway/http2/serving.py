"""An application served over HTTP/2 in the test's own loop, and applications to serve."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from gateway.http2.connection import Http2Protocol
from gateway.http2.opening import Bounds
from gateway.listening import Deadlines, listener
from tests.http2 import DEADLINE_SECONDS

Application = Callable[[Any, Any, Any], Awaitable[None]]


@asynccontextmanager
async def serving(
    application: Application, *, bounds: Bounds | None = None, deadlines: Deadlines | None = None
) -> AsyncIterator[tuple[str, int]]:
    async with served(application, bounds=bounds, deadlines=deadlines) as (address, _):
        yield address


@asynccontextmanager
async def served(
    application: Application, *, bounds: Bounds | None = None, deadlines: Deadlines | None = None
) -> AsyncIterator[tuple[tuple[str, int], ServerState]]:
    config = uvicorn.Config(application, lifespan="off", log_config=None)
    config.load()
    state = ServerState()

    class Protocol(Http2Protocol):
        pass

    Protocol.bounds = bounds or Bounds()
    Protocol.deadlines = deadlines or Deadlines()
    bound = listener("127.0.0.1", 0)
    server = await asyncio.get_running_loop().create_server(
        lambda: Protocol(config=config, server_state=state, app_state={}), sock=bound
    )
    try:
        yield bound.getsockname(), state
    finally:
        server.close()
        for task in list(state.tasks):
            task.cancel()
        await asyncio.gather(*state.tasks, return_exceptions=True)


async def eventually(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():  # noqa: ASYNC110 - conditions are anything
            await asyncio.sleep(0.005)


async def start(send: Any, status: int = 200, **more: Any) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [], **more})


async def body(send: Any, piece: bytes, *, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": piece, "more_body": more})


async def hello(_scope: Any, _receive: Any, send: Any) -> None:
    await start(send)
    await body(send, b"hello", more=False)


async def echo(_scope: Any, receive: Any, send: Any) -> None:
    """Each piece of the request as it comes."""
    await start(send)
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        more = message["more_body"]
        await body(send, message["body"], more=more)


def waiting_for(event: asyncio.Event) -> Application:
    async def application(_scope: Any, _receive: Any, send: Any) -> None:
        await event.wait()
        await hello(_scope, _receive, send)

    return application
