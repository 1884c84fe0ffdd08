"""Parts of a resource, questions about it, and bodies that wait to be asked for."""

import asyncio
import contextlib

import httpx
import pytest

from tests.gateway.e2e.upstreams import Reader, Request, Writer, read_body, whole
from tests.gateway.e2e.world import World, token

FILE = bytes(range(256)) * 40
LIMITS = [{"kind": "calls", "count": 10}, {"kind": "data", "direction": "down", "bytes": 5000}]


async def parts(request: Request, reader: Reader, writer: Writer) -> None:
    """A server that knows ranges, of one part each."""
    first, _, last = request.values("range")[0].removeprefix("bytes=").partition("-")
    part = FILE[int(first) : int(last) + 1]
    lines = [
        "HTTP/1.1 206 Partial Content",
        f"Content-Range: bytes {first}-{last}/{len(FILE)}",
        f"Content-Length: {len(part)}",
        "Accept-Ranges: bytes",
        'ETag: "1"',
    ]
    writer.write("\r\n".join([*lines, "", ""]).encode() + part)


async def test_parts_pass_as_they_are_and_count_as_much_as_they_are(
    world: World, client: httpx.AsyncClient
) -> None:
    world.upstream.answering = parts
    grant = world.grant(limits=LIMITS)
    headers = {"apicharge": token(grant), "range": "bytes=100-1099", "if-range": '"1"'}
    answer = await client.get(f"{world.url}/a", headers=headers)
    assert (answer.status_code, answer.content) == (206, FILE[100:1100])
    assert answer.headers["content-range"] == f"bytes 100-1099/{len(FILE)}"
    assert world.upstream.requests[0].values("if-range") == ['"1"']
    await world.settled()
    assert (world.used(grant), world.used(grant, 1)) == (1, 1000)


async def test_part_is_cut_where_the_grant_ends(world: World, client: httpx.AsyncClient) -> None:
    world.upstream.answering = parts
    grant, got = world.grant(limits=LIMITS), b""
    headers = {"apicharge": token(grant), "range": "bytes=0-9999"}
    with contextlib.suppress(httpx.RemoteProtocolError):
        async with client.stream("GET", f"{world.url}/a", headers=headers) as answer:
            assert answer.status_code == 206
            async for piece in answer.aiter_raw():
                got += piece
    assert answer.headers["content-length"] == "10000"
    assert got == FILE[:5000]
    await world.settled()
    assert world.used(grant, 1) == 5000


async def test_options_that_is_no_preflight_is_a_call(
    world: World, client: httpx.AsyncClient
) -> None:
    world.upstream.answering = whole(b"", "204 No Content", "Allow: GET, OPTIONS")
    grant = world.grant()
    url, headers = f"{world.url}/a", {"apicharge": token(grant), "origin": "https://a.example"}
    assert (await client.options(url)).status_code == 402
    answer = await client.options(url, headers=headers)
    assert (answer.status_code, answer.headers["allow"]) == (204, "GET, OPTIONS")
    assert [request.method for request in world.upstream.requests] == ["OPTIONS"]
    await world.settled()
    assert world.used(grant) == 1


@pytest.mark.parametrize("method", ["trace", "Trace", "connect", "get"])
async def test_method_in_another_case_is_none(world: World, method: str) -> None:
    reader, writer = await world.connect()
    presented = f"apicharge: {token(world.grant())}"
    writer.write(f"{method} /gate/files/a HTTP/1.1\r\nHost: x\r\n{presented}\r\n\r\n".encode())
    assert (await asyncio.wait_for(reader.read(), 30)).startswith(b"HTTP/1.1 400 ")
    writer.close()
    assert world.upstream.requests == []


@pytest.mark.parametrize(
    "body", [b"Content-Length: 5\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"]
)
async def test_body_that_waits_to_be_asked_for_is_asked_for_once_it_is_paid(
    world: World, body: bytes
) -> None:
    bodies: list[bytes] = []

    async def answering(request: Request, reader: Reader, writer: Writer) -> None:
        assert request.values("expect") == []
        bodies.append(await read_body(request, reader))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    world.upstream.answering = answering
    for presented, said in ((token(world.grant()), b"100 Continue"), ("", b"402 ")):
        reader, writer = await world.connect()
        head = b"POST /gate/files/a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
        credential = f"apicharge: {presented}\r\n".encode() if presented else b""
        writer.write(head + credential + body)
        first = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
        assert first.startswith(b"HTTP/1.1 " + said)
        if presented:
            writer.write(b"5\r\nhello\r\n0\r\n\r\n" if b"chunked" in body else b"hello")
            last = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
            assert last.startswith(b"HTTP/1.1 200 ")
        writer.close()
    assert bodies == [b"hello"]
