import asyncio
import time
from typing import Any

import pytest
from h2.errors import ErrorCodes
from h2.settings import SettingCodes

from tests.gateway.http2.serving import body, echo, eventually, hello, served, serving, start
from tests.http2 import connected

TAKEN_BYTES_MAX = 256 * 1024
KERNEL_BYTES_MAX = 6 * 1024 * 1024


def endless(taken: list[int]) -> Any:
    """Sends for ever, and notes each piece that was taken."""

    async def application(_scope: Any, _receive: Any, send: Any) -> None:
        await start(send)
        while True:
            await body(send, bytes(16_384))
            taken.append(16_384)

    return application


async def test_closed_window_takes_little_of_an_answer() -> None:
    taken: list[int] = []
    async with (
        serving(endless(taken)) as address,
        connected(*address, opens_windows=False) as client,
    ):
        stream_id = await client.begin(client.head())
        # So much do the default windows let through.
        await client.until(lambda: len(client.streams[stream_id].body) == 65_535)
        client.h2.ping(b"12345678")
        await client.flush()
        await client.until(lambda: client.pings_answered > 0)
        assert sum(taken) <= TAKEN_BYTES_MAX


async def test_socket_that_is_not_read_takes_little_of_an_answer() -> None:
    taken: list[int] = []
    async with serving(endless(taken)) as address, connected(*address) as client:
        client.h2.increment_flow_control_window(2**30)
        client.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 2**30})
        client.pause_reading()
        await client.begin(client.head())
        await eventually(lambda: taken)
        standing_still = 0
        while standing_still < 20:
            before = len(taken)
            await asyncio.sleep(0.01)
            standing_still = standing_still + 1 if len(taken) == before else 0
        # What the kernel holds on both sides of a loopback connection is not the application's.
        assert sum(taken) <= KERNEL_BYTES_MAX + TAKEN_BYTES_MAX


async def test_cut_is_a_reset_beside_a_running_stream() -> None:
    cutting = asyncio.Event()
    going_on = asyncio.Event()
    cut_at = 0.0

    async def application(scope: Any, receive: Any, send: Any) -> None:
        nonlocal cut_at
        await start(send)
        await body(send, b"begun")
        if scope["path"] == "/cut":
            await cutting.wait()
            cut_at = time.monotonic()
            scope["extensions"]["abort"]()
        else:
            while not going_on.is_set():
                await body(send, bytes(1_000))
                await asyncio.sleep(0.001)
            await body(send, b"", more=False)

    async with serving(application) as address, connected(*address) as client:
        running = await client.begin(client.head("/runs"))
        cut = await client.begin(client.head("/cut"))
        await client.until(lambda: client.streams[cut].body == b"begun")
        cutting.set()
        heard = await client.over(cut)
        assert heard.reset == ErrorCodes.CANCEL
        assert not heard.is_whole
        assert not client.streams[running].is_over
        going_on.set()
        assert (await client.over(running)).is_whole


async def test_answer_that_its_application_leaves_unfinished_is_a_reset() -> None:
    async def unfinished(_scope: Any, _receive: Any, send: Any) -> None:
        await start(send)
        await body(send, b"half")

    async with serving(unfinished) as address, connected(*address) as client:
        heard = await client.get()
        assert (heard.body, heard.is_whole, heard.reset) == (b"half", False, ErrorCodes.CANCEL)


async def test_end_of_an_answer_waits_for_the_socket() -> None:
    pausing = asyncio.Event()
    ended = asyncio.Event()

    async def application(_scope: Any, _receive: Any, send: Any) -> None:
        await start(send)
        await body(send, b"all")
        await pausing.wait()
        await body(send, b"", more=False)
        ended.set()

    async with served(application) as (address, state), connected(*address) as client:
        stream_id = await client.begin(client.head())
        await client.until(lambda: client.streams[stream_id].body == b"all")
        [connection] = state.connections
        connection.pause_writing()
        pausing.set()
        await ended.wait()
        await eventually(lambda: not state.tasks)
        connection.resume_writing()
        heard = await client.over(stream_id)
        assert (heard.is_whole, heard.reset) == (True, None)


async def test_upload_that_nobody_reads_delays_nobody() -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/unread":
            await asyncio.Event().wait()
        await echo(scope, receive, send)

    async with serving(application) as address, connected(*address) as client:
        # More of them than the connection's own window would hold if they shared it.
        for _ in range(20):
            unread = await client.begin(client.head("/unread", method="POST"), end=False)
            await client.upload(unread, bytes(65_000), end=False)
        body = bytes(range(256)) * 4_096
        stream_id = await client.begin(client.head(method="POST"), end=False)
        await client.upload(stream_id, body)
        assert (await client.over(stream_id)).body == body


async def test_window_of_an_upload_opens_as_it_is_taken() -> None:
    taking = asyncio.Event()
    got = 0

    async def application(_scope: Any, receive: Any, send: Any) -> None:
        nonlocal got
        await taking.wait()
        more = True
        while more:
            message = await receive()
            got += len(message["body"])
            more = message["more_body"]
        await hello(_scope, receive, send)

    async with serving(application) as address, connected(*address) as client:
        stream_id = await client.begin(client.head(method="POST"), end=False)
        await client.upload(stream_id, bytes(65_535), end=False)
        client.h2.ping(b"12345678")
        await client.flush()
        await client.until(lambda: client.pings_answered > 0)
        assert client.h2.local_flow_control_window(stream_id) <= 1
        taking.set()
        await client.upload(stream_id, bytes(200_000))
        assert (await client.over(stream_id)).body == b"hello"
        assert got == 265_535


async def test_tiny_pieces_are_put_together_and_the_window_opens_as_ever() -> None:
    taking = asyncio.Event()
    sizes: list[int] = []

    async def application(_scope: Any, receive: Any, send: Any) -> None:
        await taking.wait()
        more = True
        while more:
            message = await receive()
            assert type(message["body"]) is bytes
            sizes.append(len(message["body"]))
            more = message["more_body"]
        await hello(_scope, receive, send)

    async with served(application) as (address, state), connected(*address) as client:
        stream_id = await client.begin(client.head(method="POST"), end=False)
        for _ in range(2_000):
            client.h2.send_data(stream_id, b"tiny")
        await client.upload(stream_id, bytes(16_000), end=False)
        client.h2.ping(b"12345678")
        await client.flush()
        await client.until(lambda: client.pings_answered > 0)
        [connection] = state.connections
        assert len(connection._streams[stream_id]._inbox) == 2
        taking.set()
        await client.upload(stream_id, bytes(100_000))
        assert (await client.over(stream_id)).body == b"hello"
        assert (sizes[0], sum(sizes)) == (24_000, 124_000)


@pytest.mark.parametrize("sent", [3, 5])
async def test_body_of_another_length_than_announced_is_reset_where_trailers_end_it(
    sent: int,
) -> None:
    heard_last: list[str] = []
    begun = asyncio.Event()

    async def application(_scope: Any, receive: Any, send: Any) -> None:
        more = True
        while more:
            message = await receive()
            begun.set()
            more = message.get("more_body", False)
        heard_last.append(message["type"])
        await hello(_scope, receive, send)

    async with serving(application) as address, connected(*address) as client:
        head = client.head(method="POST", headers=[("content-length", "5")])
        stream_id = await client.begin(head, end=False)
        await client.upload(stream_id, bytes(sent), end=False)
        await begun.wait()
        client.h2.send_headers(stream_id, [("x-sum", "1")], end_stream=True)
        await client.flush()
        heard = await client.over(stream_id)
        await eventually(lambda: heard_last)
        if sent == 5:
            assert (heard.body, heard_last) == (b"hello", ["http.request"])
        else:
            assert (heard.reset, heard_last) == (ErrorCodes.PROTOCOL_ERROR, ["http.disconnect"])


async def test_large_answers_share_the_connection() -> None:
    async def large(_scope: Any, _receive: Any, send: Any) -> None:
        await start(send)
        for _ in range(16):
            await body(send, bytes(65_536))
        await body(send, b"", more=False)

    async with serving(large) as address, connected(*address) as client:
        numbers = [await client.begin(client.head()) for _ in range(4)]
        sizes = [len((await client.over(number)).body) for number in numbers]
        assert sizes == [16 * 65_536] * 4


async def test_request_comes_as_http1_would_name_it() -> None:
    seen: dict[str, Any] = {}

    async def application(scope: Any, receive: Any, send: Any) -> None:
        seen.update(scope)
        await hello(scope, receive, send)

    async with serving(application) as address, connected(*address) as client:
        headers = [("cookie", "a=1"), ("cookie", "b=2"), ("x-name", "value")]
        await client.get("/a%20b?q=1", headers=headers)
    assert seen["http_version"] == "2"
    assert (seen["path"], seen["raw_path"], seen["query_string"]) == ("/a b", b"/a%20b", b"q=1")
    assert seen["headers"] == [
        (b"host", b"gate.example"),
        (b"x-name", b"value"),
        (b"cookie", b"a=1; b=2"),
    ]


async def test_answer_without_a_body_is_one_frame() -> None:
    async def nothing(_scope: Any, _receive: Any, send: Any) -> None:
        await start(send)
        await body(send, b"", more=False)

    async with serving(nothing) as address, connected(*address) as client:
        heard = await client.get()
        assert heard.is_whole
        assert heard.frames == 1


async def test_head_request_gets_no_body() -> None:
    async with serving(hello) as address, connected(*address) as client:
        heard = await client.get(method="HEAD")
        assert (heard.status, heard.body, heard.is_whole) == ("200", b"", True)


@pytest.mark.parametrize("trailers", [{"x-sum": "4"}, {}])
async def test_trailers_follow_the_body(trailers: dict[str, str]) -> None:
    async def application(_scope: Any, _receive: Any, send: Any) -> None:
        await start(send, trailers=True)
        await body(send, b"data", more=False)
        fields = [(name.encode(), value.encode()) for name, value in trailers.items()]
        await send({"type": "http.response.trailers", "headers": fields})

    async with serving(application) as address, connected(*address) as client:
        heard = await client.get()
        assert (heard.body, heard.trailers or {}, heard.is_whole) == (b"data", trailers, True)


async def test_answer_before_the_upload_ends_asks_for_no_more_of_it() -> None:
    async with serving(hello) as address, connected(*address) as client:
        stream_id = await client.begin(client.head(method="POST"), end=False)
        await client.until(lambda: client.streams[stream_id].reset is not None)
        heard = client.streams[stream_id]
        assert (heard.body, heard.is_whole, heard.reset) == (b"hello", True, ErrorCodes.NO_ERROR)


async def test_expected_continue_is_said_when_the_body_is_asked_for() -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        assert message == {"type": "http.request", "body": b"body", "more_body": True}
        await hello(scope, receive, send)

    async with serving(application) as address, connected(*address) as client:
        head = client.head(method="POST", headers=[("expect", "100-continue")])
        stream_id = await client.begin(head, end=False)
        await client.until(lambda: client.streams[stream_id].informational == ["100"])
        await client.upload(stream_id, b"body", end=False)
        assert (await client.over(stream_id)).body == b"hello"


async def test_client_that_resets_is_a_disconnect() -> None:
    heard: list[str] = []
    begun = asyncio.Event()

    async def application(_scope: Any, receive: Any, send: Any) -> None:
        await start(send)
        begun.set()
        assert (await receive())["type"] == "http.request"
        heard.append((await receive())["type"])

    async with serving(application) as address, connected(*address) as client:
        stream_id = await client.begin(client.head())
        await begun.wait()
        client.h2.reset_stream(stream_id, ErrorCodes.CANCEL)
        await client.flush()
        await eventually(lambda: heard)
        assert heard == ["http.disconnect"]


@pytest.mark.parametrize("field", [(b"x", b"a\r\nb"), (b"x\n", b"1"), (b"x", b"\0")])
async def test_header_with_a_line_break_is_not_sent(field: tuple[bytes, bytes]) -> None:
    async def application(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [field]})
        await body(send, b"", more=False)

    async with serving(application) as address, connected(*address) as client:
        assert (await client.get()).status == "500"
