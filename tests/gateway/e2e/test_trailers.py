"""Trailers of an HTTP/1.1 upstream: to clients that take them, and to the bill."""

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.http2.connection import Http2Protocol
from gateway.listening import HttpProtocol
from tests.gateway.e2e.upstreams import raw
from tests.gateway.e2e.world import World, running
from tests.gateway.http2.serving import echo, serving
from tests.http2 import connected

CREDITS = [{"kind": "credits", "credits": 100, "per_call": 2, "max_per_call": 10}]
ANSWER = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n0\r\n"
    b"X-Sum: 532\r\nApiCharge-Consume: credits=7\r\nContent-Length: 9\r\nConnection: x\r\n\r\n"
)


@pytest.fixture(params=[HttpProtocol, Http2Protocol], ids=["http1", "http2"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    async with running(World(tmp_path), request.param) as started:
        started.publish(trailers=True)
        started.upstream.answering = raw(ANSWER)
        yield started


async def asked(world: World, *headers: str) -> bytes:
    grant = world.grant(limits=CREDITS)
    reader, writer = await world.connect()
    lines = ["GET /gate/files/x HTTP/1.1", "Host: gate", "Connection: close", *headers]
    lines.append(f"apicharge: {world.token(grant)}")
    writer.write("\r\n".join([*lines, "", ""]).encode())
    got = await reader.read()
    await world.settled()
    assert world.used(grant) == 7
    return got


@pytest.mark.parametrize("world", [HttpProtocol], indirect=True)
async def test_trailers_reach_a_client_that_takes_them(world: World) -> None:
    got = await asked(world, "TE: trailers")
    assert got.endswith(b"\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 532\r\n\r\n")


@pytest.mark.parametrize("world", [HttpProtocol], indirect=True)
async def test_client_that_takes_none_gets_none_and_the_bill_is_the_same(world: World) -> None:
    assert (await asked(world)).endswith(b"\r\n\r\n5\r\nhello\r\n0\r\n\r\n")


@pytest.mark.parametrize("world", [Http2Protocol], indirect=True)
async def test_trailers_reach_a_client_over_http2(world: World) -> None:
    grant = world.grant(limits=CREDITS)
    async with connected("127.0.0.1", world.port) as client:
        headers = [("apicharge", world.token(grant))]
        heard = await client.get("/gate/files/x", headers=headers)
    assert (heard.body, heard.trailers, heard.is_whole) == (b"hello", {"x-sum": "532"}, True)
    await world.settled()
    assert world.used(grant) == 7


@pytest.mark.parametrize("world", [Http2Protocol], indirect=True)
async def test_answer_that_breaks_off_before_its_trailers_is_not_whole(world: World) -> None:
    grant = world.grant(limits=CREDITS)
    world.upstream.answering = raw(ANSWER[: ANSWER.index(b"X-Sum")])
    async with connected("127.0.0.1", world.port) as client:
        headers = [("apicharge", world.token(grant))]
        heard = await client.get("/gate/files/x", headers=headers)
    assert (heard.is_whole, heard.reset is not None) == (False, True)
    await world.settled()
    assert world.used(grant) == 0


@pytest.mark.parametrize("scheme", ["http", "h2c"])
@pytest.mark.parametrize("world", [Http2Protocol], indirect=True)
async def test_proxy_of_the_environment_is_not_asked(
    world: World, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{world.upstream.port}")
    url = f"{scheme}://unused.example:{world.upstream.port}"
    world.publish(trailers=True, upstreams=[{"url": url}])
    grant = world.grant()
    async with connected("127.0.0.1", world.port) as client:
        headers = [("apicharge", world.token(grant))]
        heard = await client.get("/gate/files/x", headers=headers)
    assert heard.status == "502"
    assert not world.upstream.requests


@pytest.mark.parametrize("world", [Http2Protocol], indirect=True)
async def test_answer_passes_as_it_is(world: World) -> None:
    """Nothing is inflated, and no redirect is followed."""
    squeezed = gzip.compress(b"hello")
    head = b"HTTP/1.1 302 Found\r\nLocation: https://other.example/\r\nContent-Encoding: gzip\r\n"
    framing = b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(squeezed)
    world.upstream.answering = raw(head + framing + squeezed)
    async with connected("127.0.0.1", world.port) as client:
        headers = [("apicharge", world.token(world.grant()))]
        heard = await client.get("/gate/files/x", headers=headers)
    assert (heard.status, heard.body, heard.is_whole) == ("302", squeezed, True)
    assert heard.head["location"] == "https://other.example/"
    assert len(world.upstream.requests) == 1


@pytest.mark.parametrize("world", [Http2Protocol], indirect=True)
async def test_upstream_that_may_not_be_called_is_not_called(world: World) -> None:
    for url in ("h2c://127.0.0.2:9", "grpc://10.0.0.1", "grpcs://[::1]:443"):
        world.publish(upstreams=[{"url": url}])
        async with connected("127.0.0.1", world.port) as client:
            headers = [("apicharge", world.token(world.grant()))]
            heard = await client.get("/gate/files/x", headers=headers)
        assert heard.status == "502"
        assert b"no address that may be called" in heard.body


@pytest.mark.parametrize("world", [Http2Protocol], indirect=True)
async def test_upstream_by_http2_that_has_no_trailers_is_passed_on(world: World) -> None:
    async with serving(echo) as (_, port):
        world.publish(upstreams=[{"url": f"h2c://127.0.0.1:{port}"}])
        grant = world.grant()
        async with connected("127.0.0.1", world.port) as client:
            headers = [("apicharge", world.token(grant))]
            head = client.head("/gate/files/x", method="POST", headers=headers)
            stream_id = await client.begin(head, end=False)
            await client.upload(stream_id, b"x" * 200_000)
            heard = await client.over(stream_id)
    assert (heard.status, heard.body, heard.is_whole) == ("200", b"x" * 200_000, True)
    await world.settled()
    assert world.used(grant) == 1
