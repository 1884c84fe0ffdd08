"""Requests as bytes on sockets: a thousand at once cost the test little, and nothing is retried."""

import asyncio
from dataclasses import dataclass
from urllib.parse import urlsplit

READ_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body_bytes: int
    whole: bool


@dataclass(frozen=True, slots=True)
class Call:
    url: str
    token: str
    method: str = "GET"
    body: bytes = b""

    def encoded(self) -> bytes:
        parts = urlsplit(self.url)
        head = (
            f"{self.method} {parts.path or '/'} HTTP/1.1\r\n"
            f"Host: {parts.netloc}\r\n"
            f"apicharge: {self.token}\r\n"
            f"Content-Length: {len(self.body)}\r\n"
            "Connection: close\r\n\r\n"
        )
        return head.encode() + self.body


async def make(call: Call, start: asyncio.Barrier | None = None) -> Answer:
    """Connect, wait for everybody else, then send and count what comes back."""
    parts = urlsplit(call.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        if start is not None:
            await start.wait()
        writer.write(call.encoded())
        head = await reader.readuntil(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1])
        received, whole = await _body(reader, head)
        return Answer(status, received, whole)
    finally:
        writer.close()


async def begin(call: Call) -> asyncio.StreamWriter:
    """A call whose answer has begun, and is not read any further."""
    parts = urlsplit(call.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(call.encoded())
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), head
    return writer


async def _body(reader: asyncio.StreamReader, head: bytes) -> tuple[int, bool]:
    lines = head.lower().split(b"\r\n")
    announced = next((line for line in lines if line.startswith(b"content-length:")), None)
    assert announced is not None, head
    wanted, received = int(announced.partition(b":")[2]), 0
    while received < wanted:
        try:
            chunk = await reader.read(READ_BYTES)
        except ConnectionError:
            break
        if not chunk:
            break
        received += len(chunk)
    return received, received == wanted


async def at_once(calls: list[Call]) -> list[Answer]:
    """All connected first, then all sent in the same moment."""
    start = asyncio.Barrier(len(calls))
    return await asyncio.gather(*(make(call, start) for call in calls))
