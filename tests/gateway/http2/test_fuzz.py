"""Frames in any order: a connection ends or goes on, and never fails by itself."""

import asyncio
import logging
import random
from typing import Any

import pytest
import uvicorn
from hpack import Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)
from uvicorn.server import ServerState

from gateway.http2.connection import Http2Protocol
from tests.gateway.http2.serving import body, echo, eventually, hello, start

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
GET = [(":method", "GET"), (":scheme", "http"), (":authority", "a")]
CONNECT = [(":method", "CONNECT"), (":protocol", "websocket"), *GET[1:]]


class Unread(asyncio.Transport):
    """A socket that takes everything and tells nobody."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = False

    def write(self, data: Any) -> None: ...
    def write_eof(self) -> None: ...
    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.closed

    def can_write_eof(self) -> bool:
        return True

    def get_write_buffer_size(self) -> int:
        return 0


async def large(_scope: Any, _receive: Any, send: Any) -> None:
    await start(send, trailers=True)
    for _ in range(5):
        await body(send, bytes(40_000))
    await body(send, b"", more=False)
    await send({"type": "http.response.trailers", "headers": [(b"a", b"b")]})


async def cut(scope: Any, _receive: Any, send: Any) -> None:
    await start(send)
    await body(send, b"x")
    scope["extensions"]["abort"]()


async def socket(_scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({**message, "type": "websocket.send"})


APPLICATIONS = {"/hello": hello, "/echo": echo, "/large": large, "/cut": cut, "/socket": socket}


async def application(scope: Any, receive: Any, send: Any) -> None:
    await APPLICATIONS[scope["path"]](scope, receive, send)


class Client:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self._encoder = Encoder()
        self._next = -1

    def _opening(self) -> Frame:
        self._next += 2
        path = self.random.choice(sorted(APPLICATIONS))
        fields = [*(CONNECT if path == "/socket" else GET), (":path", path)]
        fields += self.random.choice([[], [], [("content-length", "3")], [("X BAD", "1")]])
        flags = ["END_HEADERS", *self.random.choice([[], ["END_STREAM"]])]
        return HeadersFrame(self._next, data=self._encoder.encode(fields), flags=flags)

    def frame(self) -> Frame:
        if self._next < 0 or self.random.random() < 0.25:
            return self._opening()
        chosen, number = self.random, 2 * self.random.randint(0, self._next // 2) + 1
        size = chosen.randint(0, 16_000)
        ending = chosen.choice([[], [], ["END_STREAM"]])
        kinds: list[Frame] = [
            DataFrame(number, data=bytes(size), flags=ending),
            RstStreamFrame(number, error_code=8),
            WindowUpdateFrame(chosen.choice([0, number]), window_increment=size + 1),
            WindowUpdateFrame(number, window_increment=2**31 - 1),
            PingFrame(0, opaque_data=b"12345678"),
            SettingsFrame(0, settings={4: size}),
            PriorityFrame(number, depends_on=0, stream_weight=1),
            GoAwayFrame(0, last_stream_id=0, error_code=chosen.choice([0, 1])),
        ]
        weights = [8, 2, 6, 1, 2, 2, 1, 1]
        if chosen.random() < 0.02:
            return ContinuationFrame(number, data=b"")
        return chosen.choices(kinds, weights)[0]


@pytest.mark.parametrize("seed", range(60))
async def test_any_frames_are_borne(seed: int, caplog: pytest.LogCaptureFixture) -> None:
    failed: list[Any] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: failed.append(context))
    config = uvicorn.Config(application, lifespan="off", log_config=None)
    config.load()
    state, transport, client = ServerState(), Unread(), Client(seed)
    connection = Http2Protocol(config=config, server_state=state, app_state={})
    connection.connection_made(transport)
    data = PREFACE + SettingsFrame(0).serialize()
    with caplog.at_level(logging.ERROR):
        for _ in range(client.random.randint(5, 60)):
            data += client.frame().serialize()
            if client.random.random() < 0.5:
                connection.data_received(data)
                data = b""
                for _ in range(client.random.randint(0, 5)):
                    await asyncio.sleep(0)
                late = loop.time() + client.random.choice([0, 1, 40])
                doing = [connection.pause_writing, connection.resume_writing, connection.shutdown]
                doing += [lambda late=late: connection.look(late)] * 2 + [lambda: None] * 20
                client.random.choice(doing)()
        connection.data_received(data)
        connection.resume_writing()
        connection.connection_lost(None)
        await eventually(lambda: not state.tasks)
    assert not failed
    assert not caplog.records
