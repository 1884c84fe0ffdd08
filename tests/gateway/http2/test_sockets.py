"""WebSockets as streams of HTTP/2 (RFC 8441)."""

from typing import Any

import pytest
from h2.settings import SettingCodes
from websockets.frames import Close, Opcode

from gateway.http2.sockets import FRAGMENTS_MAX
from tests.gateway.http2.serving import eventually, serving
from tests.http2 import connected
from tests.websocket_streams import opened

Message = dict[str, Any]


class Echo:
    """Accepts, sends back, and keeps what it was told."""

    def __init__(self, *, then: Message | None = None, longest: int | None = None) -> None:
        self.scope: dict[str, Any] = {}
        self.left: Message = {}
        self._then = then
        self._longest = longest

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scope = scope
        assert (await receive())["type"] == "websocket.connect"
        if self._longest is not None:
            scope["extensions"]["message_bytes_max"](self._longest)
        await send({"type": "websocket.accept", "subprotocol": "chat"})
        while (message := await receive())["type"] == "websocket.receive":
            if self._then is not None:
                await send(self._then)
            else:
                await send({**message, "type": "websocket.send"})
        self.left = message


async def test_messages_come_back_as_they_went() -> None:
    echo = Echo()
    async with serving(echo) as address, connected(*address) as client:
        socket = await opened(client, "/a?b", headers=[("sec-websocket-protocol", "chat, other")])
        assert (socket.heard.status, socket.heard.head["sec-websocket-protocol"]) == ("200", "chat")
        for text in ("hello", "", "grüße", "x" * 100_000):
            await socket.text(text)
            assert (await socket.next()).data.decode() == text
        await socket.close(4000, "enough")
        assert Close.parse((await socket.next()).data) == Close(4000, "enough")
        await client.until(lambda: socket.heard.is_whole)
    assert (echo.left["code"], echo.left["reason"]) == (4000, "enough")
    assert (echo.scope["type"], echo.scope["scheme"]) == ("websocket", "ws")
    assert (echo.scope["path"], echo.scope["query_string"]) == ("/a", b"b")
    assert echo.scope["subprotocols"] == ["chat", "other"]


async def test_fragments_are_one_message_and_pings_are_answered_between() -> None:
    async with serving(Echo()) as address, connected(*address) as client:
        socket = await opened(client, "/")
        socket.protocol.send_text(b"a", fin=False)
        socket.protocol.send_ping(b"there?")
        socket.protocol.send_continuation(b"b", fin=True)
        await socket.write()
        frames = [await socket.next(), await socket.next()]
        assert [(frame.opcode, bytes(frame.data)) for frame in frames] == [
            (Opcode.PONG, b"there?"),
            (Opcode.TEXT, b"ab"),
        ]


@pytest.mark.parametrize(
    ("sent", "code"),
    [(b"\xff", 1007), (b"x" * 101, 1009)],
    ids=["not text", "too long"],
)
async def test_message_that_cannot_be_one_fails_the_socket(sent: bytes, code: int) -> None:
    async with serving(Echo(longest=100)) as address, connected(*address) as client:
        socket = await opened(client, "/")
        socket.protocol.send_text(sent)
        await socket.write()
        frame = await socket.next()
        assert (frame.opcode, Close.parse(frame.data).code) == (Opcode.CLOSE, code)


@pytest.mark.parametrize("ends", [True, False])
async def test_message_has_only_so_many_fragments(ends: bool) -> None:
    echo = Echo()
    async with serving(echo) as address, connected(*address) as client:
        socket = await opened(client, "/")
        socket.protocol.send_binary(b"first", fin=False)
        for _ in range(FRAGMENTS_MAX - 2):
            socket.protocol.send_continuation(b"", fin=False)
        socket.protocol.send_continuation(b"last", fin=ends)
        if not ends:
            for _ in range(10):
                socket.protocol.send_continuation(b"", fin=False)
        await socket.write()
        frame = await socket.next()
        if ends:
            assert bytes(frame.data) == b"firstlast"
        else:
            assert (frame.opcode, Close.parse(frame.data).code) == (Opcode.CLOSE, 1008)
            await eventually(lambda: echo.left)


async def test_application_closes_with_code_and_reason() -> None:
    then = {"type": "websocket.close", "code": 4003, "reason": "used up"}
    async with serving(Echo(then=then)) as address, connected(*address) as client:
        socket = await opened(client, "/")
        await socket.text("x")
        assert Close.parse((await socket.next()).data) == Close(4003, "used up")
        await socket.write()
        await client.until(lambda: socket.heard.is_whole)


async def test_client_that_resets_left_abnormally() -> None:
    echo = Echo()
    async with serving(echo) as address, connected(*address) as client:
        await opened(client, "/")
        client.h2.reset_stream(1)
        await client.flush()
        await eventually(lambda: echo.left)
    assert echo.left["code"] == 1006


async def test_refusal_is_an_answer() -> None:
    async def refusing(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        start = {"status": 402, "headers": [(b"x-why", b"unpaid")]}
        await send({"type": "websocket.http.response.start", **start})
        await send({"type": "websocket.http.response.body", "body": b"pay"})

    async with serving(refusing) as address, connected(*address) as client:
        socket = await opened(client, "/")
        await client.until(lambda: socket.heard.is_whole)
        heard = socket.heard
        assert (heard.status, heard.head["x-why"], heard.body) == ("402", "unpaid", b"pay")


async def test_server_says_that_it_takes_them_and_nothing_else_by_connect() -> None:
    async with serving(Echo()) as address, connected(*address) as client:
        await client.until(lambda: client.h2.remote_settings.enable_connect_protocol == 1)
        assert SettingCodes.ENABLE_CONNECT_PROTOCOL in client.h2.remote_settings
        line = [(":method", "CONNECT"), (":protocol", "connect-udp"), (":scheme", "http")]
        fields = [*line, (":authority", "gate.example"), (":path", "/")]
        assert (await client.over(await client.begin(fields, end=False))).reset is not None
