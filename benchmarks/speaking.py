"""An upstream that speaks on its own: events to all its streams at once, silence, WebSocket echo.

`python -m benchmarks.speaking PORT`. Every event carries the moment it was written, so that a
reader on the same machine knows how long it took.
"""

import asyncio
import base64
import hashlib
import sys
import time

import uvloop

EVENT_SECONDS = 0.2
PADDING = b"x" * 80
HANDSHAKE = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
STREAM = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"2\r\n:\n\r\n"
)
UPGRADED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: %s\r\n\r\n"
)
MASKED_HEAD_BYTES = 6
"""Two of a short frame's head, four of its mask."""


class Speaker(asyncio.Protocol):
    listeners: set[asyncio.Transport] = set()

    def __init__(self) -> None:
        self._got = b""
        self._echoes = False

    def connection_made(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def connection_lost(self, _exc: Exception | None) -> None:
        self.listeners.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._got += data
        if self._echoes:
            return self._echo()
        while b"\r\n\r\n" in self._got:
            head, _, self._got = self._got.partition(b"\r\n\r\n")
            self._answer(head)
        return None

    def _answer(self, head: bytes) -> None:
        path = head.split(b" ", 2)[1]
        if path.endswith(b"/echo"):
            lines = [line.split(b": ", 1) for line in head.split(b"\r\n")[1:]]
            key = next(line[1] for line in lines if line[0].lower() == b"sec-websocket-key")
            digest = hashlib.sha1(key + HANDSHAKE, usedforsecurity=False).digest()
            self._transport.write(UPGRADED % base64.b64encode(digest))
            self._echoes = True
            return
        self._transport.write(STREAM)
        if path.endswith(b"/events"):
            self.listeners.add(self._transport)

    def _echo(self) -> None:
        while len(self._got) >= MASKED_HEAD_BYTES:
            size = self._got[1] & 0x7F
            end = MASKED_HEAD_BYTES + size
            if len(self._got) < end:
                return
            mask = int.from_bytes((self._got[2:6] * (size // 4 + 1))[:size])
            said = int.from_bytes(self._got[MASKED_HEAD_BYTES:end]) ^ mask
            self._transport.write(bytes((self._got[0], size)) + said.to_bytes(size))
            self._got = self._got[end:]


async def speak() -> None:
    while True:
        await asyncio.sleep(EVENT_SECONDS)
        event = b"data: %d %s\n\n" % (time.monotonic_ns(), PADDING)
        chunk = b"%x\r\n%s\r\n" % (len(event), event)
        for transport in list(Speaker.listeners):
            transport.write(chunk)


async def main(port: int) -> None:
    loop = asyncio.get_running_loop()
    await loop.create_server(Speaker, "127.0.0.1", port, backlog=16384)
    await speak()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(int(sys.argv[1])))
