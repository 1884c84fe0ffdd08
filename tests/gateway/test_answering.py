"""How heads are written; whole answers over sockets are in test_listening.py."""

import asyncio
import logging
from typing import Any, cast

from uvicorn.protocols.http.flow_control import FlowControl

from gateway.answering import Cycle

LINES = b"content-security-policy: sandbox\r\nratelimit: yes\r\n"
START = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
BODY = {"type": "http.response.body", "body": b"ok", "more_body": False}
logger = logging.getLogger(__name__)


class Transport:
    def __init__(self) -> None:
        self.written = b""

    def write(self, data: bytes) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


def cycle() -> tuple[Cycle, Transport, FlowControl]:
    transport = Transport()
    flow = FlowControl(cast("Any", transport))
    scope = {"type": "http", "method": "GET", "http_version": "1.1"}
    made = Cycle(
        scope=cast("Any", scope),
        transport=cast("Any", transport),
        flow=flow,
        logger=logger,
        access_logger=logger,
        access_log=False,
        default_headers=[],
        message_event=asyncio.Event(),
        expect_100_continue=False,
        keep_alive=True,
        on_response=lambda: None,
    )
    return made, transport, flow


async def test_head_begun_while_the_reader_is_slow_has_its_lines() -> None:
    """They sandbox an API's page: no timing of a client's may leave them out."""
    made, transport, flow = cycle()
    flow.pause_writing()
    start = asyncio.ensure_future(made.send(cast("Any", {**START, "lines": LINES})))
    turn = asyncio.get_running_loop().create_future()
    turn.get_loop().call_soon(turn.set_result, None)
    await turn
    assert transport.written == b""
    flow.resume_writing()
    await start
    await made.send(cast("Any", BODY))
    assert LINES in transport.written
    assert transport.written.endswith(b"\r\n\r\nok")
