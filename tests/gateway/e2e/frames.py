"""A WebSocket client that writes its frames by hand, also those that no client should write."""

import asyncio
import contextlib
import os
import struct
from dataclasses import dataclass, field

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
)


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, masked: bool = True
) -> bytes:
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    bit, size = 0x80 if masked else 0, len(payload)
    if size < 126:
        head += bytes([bit | size])
    elif size < 2**16:
        head += struct.pack("!BH", bit | 126, size)
    else:
        head += struct.pack("!BQ", bit | 127, size)
    if not masked:
        return head + payload
    mask = os.urandom(4)
    key = mask * (size // 4 + 1)
    masking = int.from_bytes(payload, "big") ^ int.from_bytes(key[:size], "big")
    return head + mask + masking.to_bytes(size, "big")


def close(code: int | None = None, reason: bytes = b"") -> bytes:
    return frame(CLOSE, b"" if code is None else struct.pack("!H", code) + reason)


@dataclass
class Heard:
    """What came back, until the connection ended."""

    messages: list[tuple[int, bytes]] = field(default_factory=list)
    pongs: list[bytes] = field(default_factory=list)
    closes: list[bytes] = field(default_factory=list)
    """At most one, of which only the code is kept: each server has words of its own."""

    def take(self, opcode: int, payload: bytes) -> None:
        if opcode == PONG:
            self.pongs.append(payload)
        elif opcode == CLOSE:
            self.closes.append(payload[:2])
        elif opcode != PING:
            self.messages.append((opcode, payload))


async def talk(port: int, path: str, headers: str, *written: bytes, answers: int = 0) -> Heard:
    """Open, write as it stands, the last piece after so many answers, and hear the rest."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    heard, *pieces, last = Heard(), *written
    try:
        writer.write(HANDSHAKE.format(path=path, more=headers).encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        async with asyncio.timeout(20):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            while len(heard.messages) < answers:
                heard.take(*await read_frame(reader))
            writer.write(last)
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    heard.take(*await read_frame(reader))
    finally:
        writer.transport.abort()
    return heard


async def read_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    first, second = await reader.readexactly(2)
    assert first & 0xF0 == 0x80, "a whole message in one frame, and no reserved bit"
    assert not second & 0x80, "a server masks nothing"
    size = second
    if second == 126:
        (size,) = struct.unpack("!H", await reader.readexactly(2))
    elif second == 127:
        (size,) = struct.unpack("!Q", await reader.readexactly(8))
    return first & 0x0F, await reader.readexactly(size)
