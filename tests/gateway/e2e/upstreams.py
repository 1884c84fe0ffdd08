"""Upstreams over real sockets, down to the byte: a test says what they answer."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter
Answering = Callable[["Request", Reader, Writer], Awaitable[None]]


@dataclass
class Request:
    method: str
    target: str
    headers: list[tuple[str, str]] = field(default_factory=list)

    def values(self, name: str) -> list[str]:
        return [value for each, value in self.headers if each == name]


async def read_request(reader: Reader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.split("\r\n")[:-2]
    method, target, _ = first.split(" ")
    pairs = [line.split(": ", 1) for line in lines]
    return Request(method, target, [(name.lower(), value) for name, value in pairs])


async def read_body(request: Request, reader: Reader) -> bytes:
    """The whole body; IncompleteReadError if it breaks off."""
    if length := request.values("content-length"):
        return await reader.readexactly(int(length[0]))
    body = b""
    if request.values("transfer-encoding"):
        while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
            body += await reader.readexactly(size)
            await reader.readexactly(2)
    return body


def whole(body: bytes = b"hello", status: str = "200 OK", *headers: str) -> Answering:
    async def answering(request: Request, reader: Reader, writer: Writer) -> None:
        await read_body(request, reader)
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close"]
        writer.write("\r\n".join([*lines, *headers, "", ""]).encode("latin-1"))
        if request.method != "HEAD":
            writer.write(body)

    return answering


def raw(*pieces: bytes, then: Callable[[], Awaitable[None]] | None = None) -> Answering:
    """These bytes, and the end of the connection."""

    async def answering(request: Request, reader: Reader, writer: Writer) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        if then is not None:
            await then()

    return answering


class Upstream:
    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self.answering: Answering = whole()
        self.closed: list[asyncio.Event] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        if self._server is not None:
            return
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2**18)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: Reader, writer: Writer) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        gone = asyncio.Event()
        self.closed.append(gone)
        try:
            request = await read_request(reader)
            self.requests.append(request)
            await self.answering(request, reader, writer)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            gone.set()
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
            self._tasks.discard(task)
