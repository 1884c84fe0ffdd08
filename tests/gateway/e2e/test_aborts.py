"""Clients that leave in the middle are charged for what was given to the transport."""

import asyncio
import fcntl
import os
import socket
import struct
import termios
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from gateway.domain.headers import header
from gateway.domain.tokens import Grant
from gateway.proxy import Gate
from tests.gateway.e2e.upstreams import Reader, Request, Writer
from tests.gateway.e2e.world import World, eventually, granted, running, small_buffers

AHEAD_BYTES_MAX = 256 * 1024
AT_ONCE = 25
LIMITS = [
    {"kind": "data", "direction": "down", "bytes": 10**12},
    {"kind": "concurrency", "count": 1},
]


class Counted:
    """A gate, and how many bytes of answers it handed to the server, by token."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.sent: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._gate, name)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        token = header(scope["headers"], b"apicharge")
        assert token is not None

        async def counted(message: Any) -> None:
            await send(message)
            self.sent[token] += len(message.get("body", b""))

        await self._gate(scope, receive, counted)


async def flood(request: Request, reader: Reader, writer: Writer) -> None:
    """As much as the gate takes, unframed."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
    while True:
        writer.write(b"x" * 65_536)
        await writer.drain()


async def read_and_leave(world: World, token: str, size: int) -> int:
    """How many bytes the client's machine had got when it left, `size` of them read."""
    with small_buffers() as client:
        return await _read(world, client, token, size)


async def _read(world: World, client: socket.socket, token: str, size: int) -> int:
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, ("127.0.0.1", world.port))
    head = f"GET /gate/files/a HTTP/1.1\r\nHost: x\r\napicharge: {token}\r\n\r\n"
    await loop.sock_sendall(client, head.encode())
    got = b""
    while b"\r\n\r\n" not in got:
        got += await loop.sock_recv(client, 1)
    assert got.startswith(b"HTTP/1.1 200"), got
    left = size
    while left:
        piece = await loop.sock_recv(client, min(left, 65_536))
        assert piece, f"{left} bytes did not come"
        left -= len(piece)
    unread = struct.unpack("i", fcntl.ioctl(client, termios.FIONREAD, bytes(4)))[0]
    return size + int(unread)


@pytest.mark.parametrize("clients", [50, pytest.param(1000, marks=pytest.mark.soak)])
async def test_aborts_are_charged_what_was_given_to_the_transport(
    tmp_path: Path, clients: int
) -> None:
    world = World(tmp_path)
    counted = Counted(world.gate)
    world.gate = counted  # type: ignore[assignment]
    world.upstream.answering = flood
    async with running(world):
        # So many floods in one process leave the gate little time to notice an answer.
        world.publish(timeouts=dict.fromkeys(("connect_ms", "first_byte_ms", "idle_ms"), 60_000))
        sold: list[tuple[Grant, str, int]] = []
        for _ in range(clients):
            grant = world.grant(limits=LIMITS, access_key=None)
            size = int.from_bytes(os.urandom(3)) % 300_000
            sold.append((grant, granted(grant), size))
        got: list[int] = []
        for start in range(0, clients, AT_ONCE):
            some = sold[start : start + AT_ONCE]
            leaving = (read_and_leave(world, token, size) for _, token, size in some)
            got += await asyncio.gather(*leaving)
        began = time.monotonic()
        await eventually(lambda: len(counted.watch) == 0)
        await eventually(lambda: all(gone.is_set() for gone in world.upstream.closed))
        took = time.monotonic() - began
        standings = [world.leasing.allowance(grant).standing for grant, _, _ in sold]
        assert all(standing is not None and standing.is_idle() for standing in standings)
        await world.settled()
        charged = [world.used(grant) for grant, _, _ in sold]
    assert charged == [counted.sent[token] for _, token, _ in sold]
    ahead = [paid - had for paid, had in zip(charged, got, strict=True)]
    assert max(ahead) <= AHEAD_BYTES_MAX
    assert clients < 1000 or took <= 2
