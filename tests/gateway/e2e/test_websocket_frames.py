"""Frame by frame, a client finds the gate to be what an echo server of its own is."""

import asyncio
import struct
from collections.abc import AsyncIterator

import pytest

from gateway.domain.routes import MESSAGE_BYTES_MAX
from tests.gateway.e2e.frames import (
    BINARY,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Heard,
    close,
    frame,
    talk,
)
from tests.gateway.e2e.sockets import SocketUpstream, publish
from tests.gateway.e2e.world import World, eventually, token

BYE = close(1000)
HELLO = frame(TEXT, b"hello")
PARTS = (frame(TEXT, b"hel", fin=False), frame(CONTINUATION, b"lo"))
UTF8 = "κόσμε 🌍".encode()
BROKEN_UTF8 = UTF8[:-1]
SURROGATE = b"\xed\xa0\x80"

DELIVERED = {
    "text": [HELLO],
    "empty text": [frame(TEXT)],
    "empty binary": [frame(BINARY)],
    "binary": [frame(BINARY, bytes(range(256)) * 4)],
    "length 125": [frame(TEXT, b"*" * 125)],
    "length 126": [frame(TEXT, b"*" * 126)],
    "length 65535": [frame(BINARY, b"\xfe" * 65_535)],
    "length 65536": [frame(BINARY, b"\xfe" * 65_536)],
    "largest": [frame(BINARY, b"x" * MESSAGE_BYTES_MAX)],
    "parts": PARTS,
    "empty parts": [
        frame(TEXT, fin=False),
        frame(0, fin=False),
        frame(0, b"x", fin=False),
        frame(0),
    ],
    "parts with a ping between": [PARTS[0], frame(PING, b"now"), PARTS[1]],
    "parts with a pong between": [PARTS[0], frame(PONG, b"now"), PARTS[1]],
    "character in two parts": [frame(TEXT, UTF8[:3], fin=False), frame(0, UTF8[3:])],
    "byte by byte": [bytes([byte]) for byte in b"".join(PARTS)],
    "many": [frame(TEXT, b"%d" % number) for number in range(100)],
    "many parts": [
        frame(BINARY, b"a", fin=False),
        *[frame(0, b"b", fin=False)] * 500,
        frame(0, b"c"),
    ],
    "pings": [frame(PING), frame(PING, b"x" * 125), HELLO],
    "pongs that nobody asked for": [frame(PONG, b"why"), HELLO],
}
REFUSED = {
    "rsv1": [frame(TEXT, b"hello", rsv=4)],
    "rsv2": [frame(TEXT, b"hello", rsv=2)],
    "rsv3 on a ping": [frame(PING, b"hello", rsv=1)],
    "opcode 3": [frame(3)],
    "opcode 7": [frame(7, b"x")],
    "opcode 11": [frame(11)],
    "opcode 15": [frame(15, b"x")],
    "ping too long": [frame(PING, b"x" * 126)],
    "ping in parts": [frame(PING, b"x", fin=False), frame(0, b"y")],
    "continuation of nothing": [frame(0, b"x")],
    "text within parts": [PARTS[0], HELLO],
    "not masked": [frame(TEXT, b"hello", masked=False)],
    "length with the top bit": [b"\x82\xff" + struct.pack("!Q", 2**63) + b"mask"],
    "broken UTF-8": [frame(TEXT, BROKEN_UTF8)],
    "broken UTF-8 in parts": [frame(TEXT, BROKEN_UTF8, fin=False), frame(0, b"x")],
    "surrogate": [frame(TEXT, SURROGATE)],
    "broken UTF-8 after a good message": [HELLO, frame(TEXT, b"\xff")],
    "too large": [frame(BINARY, b"x" * (MESSAGE_BYTES_MAX + 1))],
    "too large in parts": [frame(BINARY, b"x" * MESSAGE_BYTES_MAX, fin=False), frame(0, b"x")],
    "too large, announced": [b"\x82\xff" + struct.pack("!Q", 2**40) + b"mask"],
    "nothing after the close": [BYE, HELLO],
    "ping after the close": [BYE, frame(PING)],
    "close of one byte": [frame(8, b"\x03")],
    "close too long": [frame(8, struct.pack("!H", 1000) + b"x" * 124)],
    "close with broken UTF-8": [close(1000, b"\xff")],
    "close in the middle of a message": [PARTS[0], BYE],
}
CLOSES = [None, 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999]
CLOSES_REFUSED = [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65535]


async def both(
    world: World, sockets: SocketUpstream, *written: bytes, answers: int = 0
) -> tuple[Heard, Heard]:
    """What the echo server says directly, and through the gate."""
    headers = f"apicharge: {token(world.grant())}\r\n"
    direct = await talk(sockets.port, "/base/a", "", *written, answers=answers)
    return direct, await talk(world.port, "/gate/files/a", headers, *written, answers=answers)


@pytest.fixture
async def sockets(world: World) -> AsyncIterator[SocketUpstream]:
    """An echo server with the gate's own largest message."""
    upstream = SocketUpstream()
    upstream.options["max_size"] = MESSAGE_BYTES_MAX
    await upstream.start()
    publish(world, upstream)
    await asyncio.sleep(0)
    yield upstream
    await upstream.stop()


@pytest.mark.parametrize("case", DELIVERED)
async def test_frames_that_are_allowed(world: World, sockets: SocketUpstream, case: str) -> None:
    answers = 100 if case == "many" else 1
    direct, gated = await both(world, sockets, *DELIVERED[case], BYE, answers=answers)
    assert gated == direct
    assert gated.closes == [struct.pack("!H", 1000)]


@pytest.mark.parametrize("case", REFUSED)
async def test_frames_that_are_not(world: World, sockets: SocketUpstream, case: str) -> None:
    written = REFUSED[case]
    direct, gated = await both(world, sockets, *written)
    assert (gated.closes, gated.pongs) == (direct.closes, direct.pongs)
    # What was said just before the fault may be on its way when the gate finds it.
    assert gated.messages == direct.messages[: len(gated.messages)]
    await world.settled()
    await eventually(lambda: sockets.open == 0)


@pytest.mark.parametrize("code", [*CLOSES, *CLOSES_REFUSED])
async def test_close_codes(world: World, sockets: SocketUpstream, code: int | None) -> None:
    direct, gated = await both(
        world, sockets, HELLO, close(code, b"" if code is None else b"why"), answers=1
    )
    assert gated.closes == direct.closes
    told = gated.closes[0]
    if code in CLOSES:
        assert told == (b"" if code is None else struct.pack("!H", code))
    else:
        assert told == struct.pack("!H", 1002)
