"""grpcio's own client and server, unmodified, with the gate between them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from gateway.http2.connection import Http2Protocol
from tests.gateway.e2e.world import World, eventually, running
from tests.gateway.http2.serving import serving
from tests.http2 import connected

HOST = "files.example"
SERVICE = "pkg.Echo"
CREDITS = [{"kind": "credits", "credits": 100, "per_call": 2, "max_per_call": 10}]
CALLS = [{"kind": "calls", "count": 2}]
Context = grpc.aio.ServicerContext


class Echo:
    """The provider's server. What it should do besides, a test says in metadata or sets here."""

    def __init__(self) -> None:
        self.metadata: list[tuple[str, str | bytes]] = []
        self.trailing: tuple[tuple[str, str], ...] = (("x-trailing", "t"),)
        self.cancelled = 0
        self.calls = 0
        self.more = asyncio.Event()

    async def unary(self, request: bytes, context: Context) -> bytes:
        self.calls += 1
        self.metadata = list(context.invocation_metadata())
        await context.send_initial_metadata((("x-initial", "i"),))
        context.set_trailing_metadata(self.trailing)
        if request == b"fail":
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such thing — 100 %")
        if request == b"break":
            await context.abort(grpc.StatusCode.INTERNAL, "broken")
        if request == b"hang":
            await self._hang()
        return b"echo " + request

    async def down(self, request: bytes, context: Context) -> AsyncIterator[bytes]:
        self.calls += 1
        context.set_trailing_metadata(self.trailing)
        for number in range(3):
            yield b"%d" % number
        if request == b"hang":
            await self._hang()
        if request == b"break":
            await context.abort(grpc.StatusCode.UNAVAILABLE, "gone")

    async def up(self, requests: AsyncIterator[bytes], context: Context) -> bytes:
        return b",".join([request async for request in requests])

    async def both(self, requests: AsyncIterator[bytes], context: Context) -> AsyncIterator[bytes]:
        async for request in requests:
            yield b"echo " + request

    async def _hang(self) -> None:
        try:
            await self.more.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    def handlers(self) -> grpc.GenericRpcHandler:
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                "Unary": grpc.unary_unary_rpc_method_handler(self.unary),
                "Down": grpc.unary_stream_rpc_method_handler(self.down),
                "Up": grpc.stream_unary_rpc_method_handler(self.up),
                "Both": grpc.stream_stream_rpc_method_handler(self.both),
            },
        )


@pytest.fixture
async def echo() -> Echo:
    return Echo()


@pytest.fixture
async def upstream_port(echo: Echo) -> AsyncIterator[int]:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((echo.handlers(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield port
    await server.stop(0)


@pytest.fixture
async def world(tmp_path: Path, upstream_port: int) -> AsyncIterator[World]:
    async with running(World(tmp_path), Http2Protocol) as started:
        started.publish(upstreams=[{"url": f"grpc://127.0.0.1:{upstream_port}"}])
        yield started


class Client:
    def __init__(self, world: World, host: str = HOST) -> None:
        options = [("grpc.default_authority", host), ("grpc.enable_http_proxy", 0)]
        self.channel = grpc.aio.insecure_channel(f"127.0.0.1:{world.port}", options=options)
        self.unary = self.channel.unary_unary(f"/{SERVICE}/Unary")
        self.down = self.channel.unary_stream(f"/{SERVICE}/Down")
        self.up = self.channel.stream_unary(f"/{SERVICE}/Up")
        self.both = self.channel.stream_stream(f"/{SERVICE}/Both")


@pytest.fixture
async def client(world: World) -> AsyncIterator[Client]:
    client = Client(world)
    yield client
    await client.channel.close()


def paid(world: World, **terms: Any) -> tuple[Any, list[tuple[str, str]]]:
    grant = world.grant(**terms)
    return grant, [("apicharge", world.token(grant))]


async def refused(call: Awaitable[object]) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    return raised.value


def problem_of(error: grpc.aio.AioRpcError) -> str:
    return dict(error.trailing_metadata())["apicharge-problem"].rpartition("/")[2]


async def test_unary_call_passes_with_metadata_of_both_sides(
    world: World, client: Client, echo: Echo
) -> None:
    grant, token = paid(world)
    call = client.unary(
        b"x", metadata=[*token, ("x-asked", "a"), ("x-raw-bin", b"\0\xff")], timeout=20
    )
    assert await call == b"echo x"
    assert dict(await call.initial_metadata())["x-initial"] == "i"
    assert dict(await call.trailing_metadata())["x-trailing"] == "t"
    seen = dict(echo.metadata)
    assert (seen["x-asked"], seen["x-raw-bin"]) == ("a", b"\0\xff")
    assert seen["apicharge-grant"] == grant.id
    assert "apicharge" not in seen
    await world.settled()
    assert world.used(grant) == 1


async def test_streams_of_each_direction_pass(world: World, client: Client) -> None:
    grant, token = paid(world)

    async def requests() -> AsyncIterator[bytes]:
        for number in range(3):
            yield b"%d" % number

    down = [each async for each in client.down(b"x", metadata=token, timeout=20)]
    assert down == [b"0", b"1", b"2"]
    assert await client.up(requests(), metadata=token, timeout=20) == b"0,1,2"
    await world.settled()
    assert world.used(grant) == 2


async def test_conversation_passes_message_by_message(world: World, client: Client) -> None:
    grant, token = paid(world)
    call = client.both(metadata=token, timeout=20)
    for number in range(3):
        await call.write(b"%d" % number)
        assert await call.read() == b"echo %d" % number
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF
    assert await call.code() is grpc.StatusCode.OK
    await world.settled()
    assert world.used(grant) == 1


async def test_large_messages_pass(world: World, client: Client) -> None:
    _, token = paid(world)
    message = bytes(range(256)) * 8_000
    assert await client.unary(message, metadata=token, timeout=20) == b"echo " + message


async def test_status_of_the_upstream_passes(world: World, client: Client) -> None:
    grant, token = paid(world)
    error = await refused(client.unary(b"fail", metadata=token, timeout=20))
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert error.details() == "no such thing — 100 %"
    assert dict(error.trailing_metadata())["x-trailing"] == "t"
    await world.settled()
    assert world.used(grant) == 1


async def test_service_answers_at_its_root_path(world: World, upstream_port: int) -> None:
    url = f"grpc://127.0.0.1:{upstream_port}/{SERVICE}"
    world.publish(upstreams=[{"url": url}], root_path=f"/{SERVICE}")
    client = Client(world, host="gate.example")
    _, token = paid(world)
    assert await client.unary(b"x", metadata=token, timeout=20) == b"echo x"
    await client.channel.close()


async def test_refusals_are_trailers_alone(world: World, client: Client, echo: Echo) -> None:
    unpaid = await refused(client.unary(b"x", timeout=20))
    assert unpaid.code() is grpc.StatusCode.UNAUTHENTICATED
    assert problem_of(unpaid) == "payment-required"
    assert "/apicharge/v1/quotes" in dict(unpaid.trailing_metadata())["link"]
    bad = await refused(client.unary(b"x", metadata=[("apicharge", "nonsense")], timeout=20))
    assert (bad.code(), problem_of(bad)) == (grpc.StatusCode.UNAUTHENTICATED, "invalid-token")
    _, token = paid(world, route="files/premium")
    other = await refused(client.unary(b"x", metadata=token, timeout=20))
    assert (other.code(), problem_of(other)) == (
        grpc.StatusCode.PERMISSION_DENIED,
        "out-of-scope",
    )
    assert echo.calls == 0


async def test_used_up_grant_is_exhausted(world: World, client: Client, echo: Echo) -> None:
    _, token = paid(world, limits=CALLS)
    for _ in range(2):
        await client.unary(b"x", metadata=token, timeout=20)
    error = await refused(client.unary(b"x", metadata=token, timeout=20))
    assert (error.code(), problem_of(error)) == (
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "quota-exhausted",
    )
    assert "Nothing is left" in error.details()
    assert echo.calls == 2


async def test_what_trailers_say_is_booked_and_kept_from_the_client(
    world: World, client: Client, echo: Echo
) -> None:
    grant, token = paid(world, limits=CREDITS)
    echo.trailing = (
        ("apicharge-consume", "credits=7"),
        ("apicharge-adjust", "credits=+100"),
        ("x-trailing", "t"),
    )
    call = client.unary(b"x", metadata=token, timeout=20)
    await call
    trailing = dict(await call.trailing_metadata())
    assert trailing["x-trailing"] == "t"
    assert not [name for name in trailing if name.startswith("apicharge-c")]
    await world.settled()
    assert world.used(grant) == 7
    assert list(world.bookings.booked.values()) == [(grant.id, 100, False)]


@pytest.mark.parametrize("method", ["unary", "down"])
async def test_cancelled_call_is_cancelled_at_the_upstream(
    world: World, client: Client, echo: Echo, method: str
) -> None:
    grant, token = paid(world)
    call = getattr(client, method)(b"hang", metadata=token, timeout=20)
    if method == "down":
        assert [await call.read() for _ in range(3)] == [b"0", b"1", b"2"]
    await eventually(lambda: echo.calls == 1)
    call.cancel()
    await eventually(lambda: echo.cancelled == 1)
    await world.settled()
    assert world.used(grant) == 1


async def test_deadline_passes_and_ends_the_call_everywhere(
    world: World, client: Client, echo: Echo
) -> None:
    _, token = paid(world)
    error = await refused(client.unary(b"hang", metadata=token, timeout=0.5))
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await eventually(lambda: echo.cancelled == 1)
    await world.settled()


async def test_revocation_ends_a_running_stream_with_its_reason(
    world: World, client: Client, echo: Echo
) -> None:
    grant, token = paid(world)
    call = client.down(b"hang", metadata=token, timeout=20)
    assert await call.read() == b"0"
    world.revoke(grant)
    error = await refused(_all(call))
    assert (error.code(), problem_of(error)) == (
        grpc.StatusCode.UNAUTHENTICATED,
        "token-revoked",
    )
    await eventually(lambda: echo.cancelled == 1)


async def _all(call: Any) -> None:
    while await call.read() is not grpc.aio.EOF:
        pass


async def test_used_up_data_ends_a_running_stream_with_its_reason(
    world: World, client: Client
) -> None:
    grant, token = paid(
        world, limits=[{"kind": "data", "direction": "down", "bytes": 15}], route="files/all"
    )
    call = client.down(b"x", metadata=token, timeout=20)
    error = await refused(_all(call))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    await world.settled()
    assert world.used(grant) == 15


async def test_expiry_ends_a_running_stream_with_its_reason(world: World, client: Client) -> None:
    grant = world.grant()
    token = [("apicharge", world.token(grant, expires_in=1))]
    call = client.down(b"hang", metadata=token, timeout=20)
    error = await refused(_all(call))
    assert (error.code(), problem_of(error)) == (
        grpc.StatusCode.UNAUTHENTICATED,
        "token-expired",
    )


@pytest.mark.parametrize(
    ("method", "code", "calls", "some_bytes"),
    [
        ("unary", grpc.StatusCode.INTERNAL, 0, False),
        ("down", grpc.StatusCode.UNAVAILABLE, 0, True),
    ],
)
async def test_failure_of_the_upstream_costs_no_call(
    world: World, client: Client, method: str, code: Any, calls: int, some_bytes: bool
) -> None:
    limits = [*CALLS, {"kind": "data", "direction": "down", "bytes": 1_000}]
    grant, token = paid(world, limits=limits)
    call = getattr(client, method)(b"break", metadata=token, timeout=20)
    error = await refused(_all(call) if method == "down" else call)
    assert error.code() is code
    await world.settled()
    assert world.used(grant, 0) == calls
    assert bool(world.used(grant, 1)) is some_bytes


async def test_unreachable_upstream_is_unavailable_and_free(world: World, client: Client) -> None:
    world.publish(upstreams=[{"url": "grpc://127.0.0.1:1"}])
    grant, token = paid(world)
    error = await refused(client.unary(b"x", metadata=token, timeout=20))
    assert (error.code(), problem_of(error)) == (
        grpc.StatusCode.UNAVAILABLE,
        "upstream-unreachable",
    )
    await world.settled()
    assert world.used(grant) == 0


def messages(direction: str, count: int) -> list[dict[str, object]]:
    return [{"kind": "messages", "direction": direction, "count": count}]


@pytest.mark.parametrize("direction", ["up", "down", "both"])
async def test_messages_are_counted_in_each_direction(
    world: World, client: Client, direction: str
) -> None:
    grant, token = paid(world, limits=messages(direction, 100))
    call = client.both(metadata=token, timeout=20)
    for _ in range(3):
        await call.write(b"x" * 20_000)
        await call.read()
    await call.done_writing()
    assert await call.code() is grpc.StatusCode.OK
    await world.settled()
    assert world.used(grant) == (6 if direction == "both" else 3)


@pytest.mark.parametrize("direction", ["up", "down"])
async def test_call_ends_at_the_first_message_that_is_not_held(
    world: World, client: Client, direction: str
) -> None:
    grant, token = paid(world, limits=messages(direction, 2))
    call = client.both(metadata=token, timeout=20)
    for _ in range(2):
        await call.write(b"x")
        assert await call.read() == b"echo x"
    await call.write(b"one too many")
    error = await refused(_all(call))
    assert (error.code(), problem_of(error)) == (
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "quota-exhausted",
    )
    await world.settled()
    assert world.used(grant) == 2


@pytest.mark.parametrize("direction", ["down", "up", "both"])
@pytest.mark.parametrize("kind", ["application/octet-stream", "application/grpc-web", ""])
async def test_messages_cannot_be_had_by_calling_otherwise(
    world: World, echo: Echo, direction: str, kind: str
) -> None:
    grant, token = paid(world, limits=messages(direction, 2))
    async with connected("127.0.0.1", world.port) as caller:
        headers = [*token, *([("content-type", kind)] if kind else [])]
        path = f"/gate/files/{SERVICE}/Unary"
        heard = await caller.get(path, method="POST", headers=headers)
    assert heard.status == "400"
    assert b"/problems/malformed-request" in heard.body
    await world.settled()
    assert (world.used(grant), echo.calls) == (0, 0)


async def test_messages_cannot_be_had_over_http_1(
    tmp_path: Path, upstream_port: int, echo: Echo
) -> None:
    async with running(World(tmp_path)) as world, httpx.AsyncClient(trust_env=False) as caller:
        world.publish(upstreams=[{"url": f"grpc://127.0.0.1:{upstream_port}"}])
        grant, token = paid(world, limits=messages("both", 2))
        headers = [*token, ("content-type", "application/grpc")]
        url = f"{world.url}/{SERVICE}/Unary"
        answer = await caller.post(url, headers=headers, content=bytes(5))
        assert answer.status_code == 400
        assert answer.json()["type"].endswith("/problems/malformed-request")
        assert (world.used(grant), echo.calls) == (0, 0)


async def test_gate_ends_a_call_whose_deadline_nobody_else_heeds(world: World) -> None:
    async def silent(_scope: Any, _receive: Any, _send: Any) -> None:
        await asyncio.Event().wait()

    async with serving(silent) as (_, port):
        world.publish(upstreams=[{"url": f"grpc://127.0.0.1:{port}"}])
        grant, token = paid(world)
        async with connected("127.0.0.1", world.port) as caller:
            headers = [*token, ("content-type", "application/grpc"), ("grpc-timeout", "100m")]
            path = f"/gate/files/{SERVICE}/Unary"
            heard = await caller.get(path, method="POST", headers=headers)
        assert (heard.status, heard.head["grpc-status"]) == ("200", "4")
        assert (heard.is_whole, heard.frames) == (True, 1)
        await world.settled()
        assert world.used(grant) == 1
