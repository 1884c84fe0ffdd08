"""Bounds, deadlines and the life of a connection. What streams carry: test_stream.py."""

import asyncio
import logging
from typing import Any

import pytest
from h2.errors import ErrorCodes
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

from gateway.http2.opening import Bounds
from gateway.listening import Deadlines
from tests.gateway.http2.serving import (
    body,
    echo,
    eventually,
    hello,
    served,
    serving,
    start,
    waiting_for,
)
from tests.http2 import Client, connected

GRPC = ("content-type", "application/grpc")
IMPATIENT = Deadlines(headers_seconds=0.3, body_seconds=0.3, write_seconds=0.3)
FLOOD_FRAMES = 2_000


async def flooded(client: Client, frames: list[Frame]) -> None:
    await client.write(b"".join(frame.serialize() for frame in frames))
    await client.until(lambda: client.is_closed)


@pytest.mark.parametrize(
    "frame",
    [
        PingFrame(0, opaque_data=b"12345678"),
        SettingsFrame(0, settings={4: 65_535}),
        PriorityFrame(99, depends_on=0, stream_weight=1),
        WindowUpdateFrame(0, window_increment=1),
        PingFrame(0, opaque_data=b"87654321", flags=["ACK"]),
    ],
    ids=["ping", "settings", "priority", "window", "pong"],
)
async def test_flood_of_frames_that_cost_nothing_ends_the_connection(frame: Frame) -> None:
    async with serving(hello) as address, connected(*address) as client:
        await flooded(client, [frame] * FLOOD_FRAMES)
        assert client.terminated == ErrorCodes.ENHANCE_YOUR_CALM


async def test_flood_of_empty_data_ends_the_connection() -> None:
    async with serving(echo) as address, connected(*address) as client:
        stream_id = await client.begin(client.head(method="POST"), end=False)
        await flooded(client, [DataFrame(stream_id, data=b"")] * FLOOD_FRAMES)
        assert client.terminated == ErrorCodes.ENHANCE_YOUR_CALM


@pytest.mark.parametrize(("content_type", "borne"), [("text/plain", 8_000), (GRPC[1], 40_000)])
async def test_body_in_tiny_pieces_is_borne_for_a_while(content_type: str, borne: int) -> None:
    got = 0

    async def counting(_scope: Any, receive: Any, _send: Any) -> None:
        nonlocal got
        while (message := await receive())["type"] == "http.request":
            got += len(message["body"])

    bounds = Bounds(free_frames_per_second=0)
    async with serving(counting, bounds=bounds) as address, connected(*address) as client:
        head = client.head(method="POST", headers=[("content-type", content_type)])
        stream_id = await client.begin(head, end=False)
        # The client's own settings cost something, too.
        piece, some = DataFrame(stream_id, data=b"x").serialize(), borne * 9 // 10
        await client.write(piece * some)
        await eventually(lambda: got == some)
        await client.write(piece * (borne // 5))
        await client.until(lambda: client.is_closed)
        assert client.terminated == ErrorCodes.ENHANCE_YOUR_CALM


async def test_first_piece_is_paid_with_its_head() -> None:
    bounds = Bounds(free_frames_burst=10, free_frames_per_second=0)
    async with serving(echo, bounds=bounds) as address, connected(*address) as client:
        for _ in range(300):
            stream_id = await client.begin(client.head(method="POST"), end=False)
            await client.upload(stream_id, b"{}")
            assert (await client.over(stream_id)).body == b"{}"


async def test_data_for_a_stream_that_is_over_ends_the_connection() -> None:
    async with serving(hello) as address, connected(*address) as client:
        stream_id = await client.begin(client.head(method="POST"), end=False)
        await client.over(stream_id)
        await flooded(client, [DataFrame(stream_id, data=b"x")] * FLOOD_FRAMES)
        assert client.terminated == ErrorCodes.ENHANCE_YOUR_CALM


async def test_rapid_reset_ends_the_connection_and_runs_no_application() -> None:
    ran = 0

    async def counted(scope: Any, receive: Any, send: Any) -> None:
        nonlocal ran
        ran += 1
        await hello(scope, receive, send)

    async with served(counted) as (address, state), connected(*address) as client:
        head = client.h2.encoder.encode(client.head())
        frames: list[Frame] = []
        for number in range(FLOOD_FRAMES):
            opening = HeadersFrame(2 * number + 1, data=head, flags=["END_HEADERS", "END_STREAM"])
            frames += [opening, RstStreamFrame(2 * number + 1, error_code=8)]
        await flooded(client, frames)
        assert client.terminated == ErrorCodes.ENHANCE_YOUR_CALM
        assert ran < Bounds().streams
        await eventually(lambda: not state.tasks)


async def test_resets_that_a_client_provokes_count_as_its_own() -> None:
    async with serving(echo) as address, connected(*address) as client:
        head = client.h2.encoder.encode(client.head(method="POST"))
        frames: list[Frame] = []
        for number in range(FLOOD_FRAMES):
            stream_id = 2 * number + 1
            opening = HeadersFrame(stream_id, data=head, flags=["END_HEADERS"])
            frames += [opening, WindowUpdateFrame(stream_id, window_increment=2**31 - 1)]
        await flooded(client, frames)
        assert client.terminated == ErrorCodes.ENHANCE_YOUR_CALM


async def test_endless_header_block_ends_the_connection() -> None:
    async with serving(hello) as address, connected(*address) as client:
        first = HeadersFrame(1, data=b"", flags=[])
        await flooded(client, [first, *[ContinuationFrame(1, data=b"")] * FLOOD_FRAMES])
        assert client.terminated == ErrorCodes.PROTOCOL_ERROR


async def test_header_list_that_unfolds_to_too_much_ends_the_connection() -> None:
    async with serving(hello) as address, connected(*address) as client:
        large = ("x-large", "x" * 4_000)
        await client.begin([*client.head(), *[large] * 100])
        await client.until(lambda: client.is_closed)
        assert client.terminated == ErrorCodes.ENHANCE_YOUR_CALM


async def test_streams_beyond_the_bound_are_refused_and_others_go_on() -> None:
    answering = asyncio.Event()
    bounds = Bounds(streams=3)
    async with (
        serving(waiting_for(answering), bounds=bounds) as address,
        connected(*address) as client,
    ):
        # In one write, before the client can know the bound.
        numbers = [1, 3, 5, 7]
        for number in numbers:
            client.h2.send_headers(number, client.head(), end_stream=True)
        await client.flush()
        assert (await client.over(7)).reset == ErrorCodes.REFUSED_STREAM
        answering.set()
        assert [(await client.over(number)).body for number in numbers[:3]] == [b"hello"] * 3


async def test_client_that_resets_its_streams_cannot_run_more_than_the_bound() -> None:
    leaving = asyncio.Event()
    running = most = 0

    async def deaf(_scope: Any, _receive: Any, _send: Any) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await leaving.wait()
        running -= 1

    bounds = Bounds(streams=3)
    async with serving(deaf, bounds=bounds) as address, connected(*address) as client:
        for number in range(3):
            stream_id = await client.begin(client.head())
            await eventually(lambda wanted=number + 1: running == wanted)
            client.h2.reset_stream(stream_id)
            await client.flush()
        refused = await client.over(await client.begin(client.head()))
        assert refused.reset == ErrorCodes.REFUSED_STREAM
        assert most == 3
        leaving.set()
        await eventually(lambda: not running)


async def test_something_else_than_http2_is_closed() -> None:
    async with serving(hello) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.wait_for(reader.read(), 10)
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize(
    "fields",
    [
        [(":path", "/a b")],
        [(":path", "/"), ("x y", "1")],
        [(":path", "/"), ("content-length", "1"), ("content-length", "2")],
        [(":path", "/"), ("host", "other.example")],
        [(":path", "/"), ("transfer-encoding", "chunked")],
        [(":path", "/"), ("content-length", "5")],
    ],
    ids=str,
)
async def test_request_that_http1_could_not_write_reaches_no_application(
    fields: list[tuple[str, str]],
) -> None:
    reached = False

    async def application(scope: Any, receive: Any, send: Any) -> None:
        nonlocal reached
        reached = True
        await hello(scope, receive, send)

    async with serving(application) as address, connected(*address) as client:
        line = [(":method", "GET"), (":scheme", "http"), (":authority", "gate.example")]
        heard = await client.over(await client.begin([*line, *fields]))
        assert not heard.is_whole
        assert not reached


async def test_idle_connection_is_closed_with_a_goodbye() -> None:
    bounds = Bounds(idle_seconds=0.1)
    async with serving(hello, bounds=bounds) as address, connected(*address) as client:
        assert (await client.get()).body == b"hello"
        await client.until(lambda: client.is_closed)
        assert client.terminated == ErrorCodes.NO_ERROR


async def test_connection_that_asks_nothing_is_closed_sooner() -> None:
    async with serving(hello, deadlines=IMPATIENT) as address, connected(*address) as client:
        await client.until(lambda: client.is_closed)


async def test_client_that_answers_no_ping_is_dropped() -> None:
    bounds = Bounds(ping_after_seconds=0.1, ping_answer_seconds=0.1)
    async with (
        served(echo, bounds=bounds) as (address, state),
        connected(*address) as client,
    ):
        client.is_silent = True
        await client.begin([*client.head(method="POST"), GRPC], end=False)
        await eventually(lambda: not state.connections)


async def test_client_that_answers_pings_keeps_a_silent_call() -> None:
    bounds = Bounds(ping_after_seconds=0.1)
    async with (
        serving(echo, bounds=bounds, deadlines=IMPATIENT) as address,
        connected(*address) as client,
    ):
        stream_id = await client.begin([*client.head(method="POST"), GRPC], end=False)
        await client.until(lambda: client.pings >= 3)
        await client.upload(stream_id, b"still here")
        assert (await client.over(stream_id)).body == b"still here"


@pytest.mark.parametrize("length", [None, "10"])
async def test_upload_that_stands_still_is_reset(length: str | None) -> None:
    async with serving(echo, deadlines=IMPATIENT) as address, connected(*address) as client:
        said = [("content-length", length)] if length else []
        stream_id = await client.begin([*client.head(method="POST"), *said], end=False)
        assert (await client.over(stream_id)).reset == ErrorCodes.CANCEL


async def test_answer_that_is_not_taken_is_reset() -> None:
    async def endless(_scope: Any, receive: Any, send: Any) -> None:
        await start(send)
        for _ in range(1_000):
            await body(send, bytes(65_536))

    async with (
        serving(endless, deadlines=IMPATIENT) as address,
        connected(*address, opens_windows=False) as client,
    ):
        assert (await client.over(await client.begin(client.head()))).reset == ErrorCodes.CANCEL


async def test_drain_lets_running_streams_end_and_takes_no_others() -> None:
    answering = asyncio.Event()
    async with served(waiting_for(answering)) as (address, state), connected(*address) as client:
        first = await client.begin(client.head())
        await eventually(lambda: state.tasks)
        [connection] = state.connections
        connection.shutdown()
        await client.until(lambda: client.terminated == ErrorCodes.NO_ERROR)
        answering.set()
        await client.until(lambda: client.is_closed)
        [last] = [frame for frame in client.frames if isinstance(frame, DataFrame)]
        assert (last.stream_id, last.data, set(last.flags)) == (first, b"hello", {"END_STREAM"})


async def test_client_that_says_goodbye_gets_what_it_asked_for() -> None:
    answering = asyncio.Event()
    async with serving(waiting_for(answering)) as address, connected(*address) as client:
        stream_id = await client.begin(client.head())
        goodbye = GoAwayFrame(0, last_stream_id=0).serialize()
        await client.write(goodbye + PingFrame(0, opaque_data=b"12345678").serialize())
        await client.until(lambda: client.pings_answered == 1)
        answering.set()
        assert (await client.over(stream_id)).body == b"hello"
        await client.until(lambda: client.is_closed)


async def test_idle_connection_ends_at_once_in_a_drain() -> None:
    async with served(hello) as (address, state), connected(*address) as client:
        await client.get()
        [connection] = state.connections
        connection.shutdown()
        await client.until(lambda: client.is_closed)


async def test_failing_application_is_a_500_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def failing(_scope: Any, _receive: Any, _send: Any) -> None:
        raise ValueError("broken")

    with caplog.at_level(logging.ERROR):
        async with serving(failing) as address, connected(*address) as client:
            assert (await client.get()).status == "500"
    assert "broken" in caplog.text
