"""A WebSocket passes as it is: messages, subprotocols, closes; who may open one, and who not."""

import asyncio
import os
from http import HTTPStatus
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.exceptions import InvalidStatus
from websockets.http11 import Request, Response

from gateway.domain.closing import Close
from tests.gateway.e2e.sockets import SocketUpstream, closed, opening, publish, sockets
from tests.gateway.e2e.upstreams import Reader
from tests.gateway.e2e.world import World, token

__all__ = ["sockets"]  # The fixture.


async def test_messages_come_back_as_they_went(world: World, sockets: SocketUpstream) -> None:
    async with opening(world, token(world.grant())) as client:
        for message in ("hello", "", "grüße 🌍", b"\x00\xff", b"", os.urandom(1024 * 1024)):
            await client.send(message)
            assert await client.recv() == message


async def test_fragments_arrive_as_one_message(world: World, sockets: SocketUpstream) -> None:
    async with opening(world, token(world.grant())) as client:
        await client.send(["a", "", "b", "c" * 1000])
        assert await client.recv() == "ab" + "c" * 1000
        await client.send([b"x"] * 10_000)
        assert await client.recv() == b"x" * 10_000
    grant = world.grant()
    async with opening(world, token(grant)) as client:
        await client.send("one call")
        await client.recv()
    await world.settled()
    assert world.used(grant) == 1


@pytest.mark.parametrize("scheme", ["ws", "http"])
async def test_upstream_may_be_named_as_http(
    world: World, sockets: SocketUpstream, scheme: str
) -> None:
    publish(world, sockets, scheme)
    async with opening(world, token(world.grant()), "/a/b?x=1") as client:
        await client.send("hello")
        assert await client.recv() == "hello"
    request = sockets.peers[-1].request
    assert request is not None
    assert request.path == "/base/a/b?x=1"


async def test_upstream_learns_who_calls_and_nothing_of_the_token(
    world: World, sockets: SocketUpstream
) -> None:
    grant = world.grant()
    presented = token(grant)
    offered: Any = ["apicharge", f"apicharge.{presented}", "chat"]
    headers = {"apicharge": presented, "ApiCharge-Buyer": "me", "X-Mine": "yes"}
    async with opening(world, headers=headers, subprotocols=offered) as client:
        assert client.response is not None
        answered = client.response.headers
        assert client.subprotocol == "apicharge"
    request = sockets.peers[0].request
    assert request is not None
    sent = request.headers
    assert sent["ApiCharge-Grant"] == grant.id
    assert sent.get_all("ApiCharge-Buyer") == ["GBUYER"]
    assert sent["X-Mine"] == "yes"
    assert sent["X-Forwarded-Proto"] == "http"
    assert sent.get_all("Sec-WebSocket-Protocol") == ["chat"]
    assert "Sec-WebSocket-Extensions" not in sent
    secret = presented.rpartition("~")[2]
    assert secret not in str(sent)
    assert secret not in str(answered)
    assert answered["ApiCharge-Expires"] == str(grant.expires_at)
    assert answered["RateLimit"].startswith('"calls";r=999')


async def test_compression_is_refused_on_both_hops(world: World, sockets: SocketUpstream) -> None:
    async with opening(world, token(world.grant()), compression="deflate") as client:
        await client.send("x" * 1000)
        assert await client.recv() == "x" * 1000
        assert client.protocol.extensions == []
    assert sockets.peers[0].protocol.extensions == []


async def test_upstream_chooses_the_subprotocol(world: World) -> None:
    chat = SocketUpstream()
    chat.options["subprotocols"] = ["chat"]
    chat.options["select_subprotocol"] = lambda _, names: "chat" if "chat" in names else None
    await chat.start()
    publish(world, chat)
    offered: Any = ["apicharge", "video", "chat"]
    async with opening(world, token(world.grant()), subprotocols=offered) as client:
        assert client.subprotocol == "chat"
    async with opening(world, token(world.grant())) as client:
        assert client.subprotocol is None
    await chat.stop()


async def test_a_browser_needs_nothing_but_subprotocols(
    world: World, sockets: SocketUpstream
) -> None:
    grant = world.grant()
    offered: Any = ["apicharge", f"apicharge.{token(grant)}"]
    origin: Any = "https://page.example"
    async with opening(world, subprotocols=offered, origin=origin) as client:
        await client.send("hello")
        assert await client.recv() == "hello"
        assert client.subprotocol == "apicharge"
    await world.settled()
    assert world.used(grant) == 1


async def test_cookie_counts_only_from_allowed_origins(
    world: World, sockets: SocketUpstream
) -> None:
    publish(world, sockets, allowed_origins=["https://app.example"])
    presented = token(world.grant())
    cookie = {"Cookie": f"apicharge={presented}; theme=dark"}
    allowed: Any = "https://app.example"
    async with opening(world, headers=cookie, origin=allowed) as client:
        await client.send("hello")
        assert await client.recv() == "hello"
    request = sockets.peers[0].request
    assert request is not None
    assert request.headers["Cookie"] == "theme=dark"
    for origin in ("https://evil.example", "null", "https://app.example:8443", None):
        foreign: Any = origin
        with pytest.raises(InvalidStatus) as refused:
            await opening(world, headers=cookie, origin=foreign)
        assert refused.value.response.status_code == 403
    offered: Any = ["apicharge", f"apicharge.{presented}"]
    foreign = "https://evil.example"
    async with opening(world, headers=cookie, origin=foreign, subprotocols=offered) as client:
        assert client.subprotocol == "apicharge"
    assert len(sockets.peers) == 2


async def test_unpaid_handshake_is_told_how_to_pay(world: World, sockets: SocketUpstream) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await opening(world)
    answer = refused.value.response
    assert answer.status_code == 402
    assert b'"route": "files/all"' in bytes(answer.body)
    assert 'rel="payment"' in answer.headers["Link"]
    assert sockets.peers == []


@pytest.mark.parametrize(
    ("path", "status"), [("/%2e%2e/a", 400), ("/premium/x", 403), ("/../../elsewhere/a", 404)]
)
async def test_handshake_is_refused_as_a_call_is(
    world: World, sockets: SocketUpstream, path: str, status: int
) -> None:
    if status == 404:
        publish(world, sockets, slug="elsewhere")
        await asyncio.sleep(0)
        path = "/a"
    with pytest.raises(InvalidStatus) as refused:
        await opening(world, token(world.grant()), path)
    assert refused.value.response.status_code == status


async def test_bad_and_ended_tokens_are_refused(world: World, sockets: SocketUpstream) -> None:
    used_up = world.grant(limits=[{"kind": "calls", "count": 1}])
    async with opening(world, token(used_up)):
        pass
    for presented, status in (
        ("nonsense", 401),
        (token(world.grant(), expires_in=-1), 401),
        (token(world.grant(not_before=1_600_000_000, expires_at=1_700_000_000)), 402),
        (token(used_up), 402),
    ):
        with pytest.raises(InvalidStatus) as refused:
            await opening(world, presented)
        assert refused.value.response.status_code == status


async def test_refusal_of_the_upstream_is_passed_on(world: World, sockets: SocketUpstream) -> None:
    def refuse(peer: ServerConnection, request: Request) -> Response:
        headers = Headers({"X-Why": "full", "Content-Length": "4", "Set-Cookie": "a=b"})
        return Response(status, "No", headers, b"busy")

    sockets.refuse = refuse
    for status, charged in ((403, 1), (503, 0), (302, 1)):
        grant = world.grant()
        with pytest.raises(InvalidStatus) as refused:
            await opening(world, token(grant))
        answer = refused.value.response
        assert (answer.status_code, bytes(answer.body)) == (status, b"busy")
        assert answer.headers["X-Why"] == "full"
        assert "Set-Cookie" not in answer.headers
        await world.settled()
        assert world.used(grant) == charged


async def test_unreachable_upstream_is_a_502_and_free(
    world: World, sockets: SocketUpstream
) -> None:
    publish(world, sockets, upstreams=[{"url": "ws://127.0.0.1:1"}])
    grant = world.grant()
    with pytest.raises(InvalidStatus) as refused:
        await opening(world, token(grant))
    assert refused.value.response.status_code == 502
    await world.settled()
    assert world.used(grant) == 0


async def test_silent_upstream_is_a_504_and_free(world: World) -> None:
    async def silent(_: Any, reader: Reader, __: Any) -> None:
        await reader.read()

    world.upstream.answering = silent
    grant = world.grant()
    with pytest.raises(InvalidStatus) as refused:
        await opening(world, token(grant))
    assert refused.value.response.status_code == 504
    await asyncio.wait_for(world.upstream.closed[0].wait(), 5)
    assert world.used(grant) == 0


CLOSES = [(1000, ""), (1000, "done"), (1001, "away"), (3000, "own"), (4999, "ü" * 61)]


@pytest.mark.parametrize(("code", "reason"), CLOSES)
async def test_clients_close_reaches_the_upstream(
    world: World, sockets: SocketUpstream, code: int, reason: str
) -> None:
    grant = world.grant()
    async with opening(world, token(grant)) as client:
        await client.send("hello")
        await client.recv()
        await client.close(code, reason)
    assert await sockets.closes() == Close(code, reason)
    await world.settled()
    assert world.used(grant) == 1


@pytest.mark.parametrize(("code", "reason"), [*CLOSES, (1011, "broken"), (4002, "mine")])
async def test_upstreams_close_reaches_the_client(
    world: World, sockets: SocketUpstream, code: int, reason: str
) -> None:
    async def talk(peer: ServerConnection) -> None:
        await peer.send("last words")
        await peer.close(code, reason)

    sockets.talk = talk
    async with opening(world, token(world.grant())) as client:
        assert await client.recv() == "last words"
        assert await closed(client) == Close(code, reason)


async def test_close_without_a_code_stays_without(world: World, sockets: SocketUpstream) -> None:
    async def talk(peer: ServerConnection) -> None:
        peer.protocol.send_close()
        peer.send_data()
        await peer.wait_closed()

    async with opening(world, token(world.grant())) as client:
        await client.send("x")
        await client.recv()
        client.protocol.send_close()
        client.send_data()
        assert await sockets.closes() == Close(1005)
    sockets.talk = talk
    async with opening(world, token(world.grant())) as client:
        assert await closed(client) == Close(1005)


async def test_client_that_vanishes_vanishes_for_the_upstream(
    world: World, sockets: SocketUpstream
) -> None:
    grant = world.grant()
    client = await opening(world, token(grant))
    await client.send("x")
    await client.recv()
    client.transport.abort()
    assert (await sockets.closes()).code == 1006
    await world.settled()
    assert world.used(grant) == 1


async def test_upstream_that_breaks_off_is_told_as_a_fault(
    world: World, sockets: SocketUpstream
) -> None:
    async def talk(peer: ServerConnection) -> None:
        await peer.recv()
        peer.transport.abort()

    sockets.talk = talk
    limits = [{"kind": "calls", "count": 5}, {"kind": "data", "direction": "up", "bytes": 100}]
    grant = world.grant(limits=limits)
    async with opening(world, token(grant)) as client:
        await client.send("hello")
        assert await closed(client) == Close(1014, "The API's connection broke off")
    await world.settled()
    assert (world.used(grant), world.used(grant, 1)) == (0, 5)


async def test_message_larger_than_the_routes_limit_ends_it(
    world: World, sockets: SocketUpstream
) -> None:
    body = world.body(upstreams=[{"url": f"ws://127.0.0.1:{sockets.port}"}])
    body["services"][0]["routes"][0]["message_bytes_max"] = 1000
    world.publish(body)
    await asyncio.sleep(0)
    async with opening(world, token(world.grant())) as client:
        await client.send("x" * 1000)
        assert await client.recv() == "x" * 1000
        await client.send("x" * 1001)
        assert (await closed(client)).code == 1009
    assert (await sockets.closes(0)).code == 1009

    async def talk(peer: ServerConnection) -> None:
        await peer.send(b"y" * 1001)
        await peer.wait_closed()

    sockets.talk = talk
    async with opening(world, token(world.grant())) as client:
        assert await closed(client) == Close(1009, "A message of the API is too big")


async def test_long_headers_pass_and_too_long_ones_are_answered(
    world: World, sockets: SocketUpstream
) -> None:
    presented = token(world.grant())
    async with opening(world, presented, headers={"Cookie": "a=" + "x" * 30_000}) as client:
        await client.send("hello")
        assert await client.recv() == "hello"
    long: Any = ["apicharge", "apicharge." + "x" * 30_000]
    with pytest.raises(InvalidStatus) as refused:
        await opening(world, subprotocols=long)
    assert refused.value.response.status_code == 401
    with pytest.raises(InvalidStatus) as refused:
        await opening(world, presented, headers={"Cookie": "a=" + "x" * 40_000})
    assert refused.value.response.status_code == 431
    for lines in (200, 300):
        with pytest.raises(InvalidStatus) as refused:
            await opening(world, presented, headers={f"x-{line}": "y" for line in range(lines)})
        assert refused.value.response.status_code == 431


@pytest.mark.parametrize(
    ("broken", "code"), [([b"x"] * 5000, 1009), ([b"\xff"], 1014), ([b"ok", b"\xff"], 1014)]
)
async def test_upstream_that_speaks_no_proper_websocket_is_closed_with_a_reason(
    world: World, sockets: SocketUpstream, broken: list[bytes], code: int
) -> None:
    async def talk(peer: ServerConnection) -> None:
        await peer.send(broken, text=True)
        await peer.wait_closed()

    sockets.talk = talk
    grant = world.grant()
    async with opening(world, token(grant)) as client:
        assert (await closed(client)).code == code
    await world.settled()
    assert world.used(grant) == 0


async def test_pings_are_answered_by_each_hop(world: World, sockets: SocketUpstream) -> None:
    async with opening(world, token(world.grant())) as client:
        await asyncio.wait_for(await client.ping(b"mine"), 5)
        await asyncio.wait_for(await sockets.peers[0].ping(b"theirs"), 5)


async def test_address_in_a_refusal_leads_to_the_gate(
    world: World, sockets: SocketUpstream
) -> None:
    own = f"http://127.0.0.1:{sockets.port}"

    def moved(peer: ServerConnection, _request: Request) -> Response:
        response = peer.respond(HTTPStatus.GONE, "moved")
        response.headers["Location"] = f"{own}/base/b"
        return response

    sockets.refuse = moved
    with pytest.raises(InvalidStatus) as refused:
        await opening(world, token(world.grant()))
    assert refused.value.response.headers["location"] == "/gate/files/b"
