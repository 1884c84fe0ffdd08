"""What is decided is what the upstream sees, in every spelling."""

import asyncio

import pytest

from tests.gateway.e2e.world import World, token

AMBIGUOUS = [
    "/a%2fpremium",
    "/a%2Fpremium",
    "/a%5cpremium",
    "/a%5Cpremium",
    "/a\\premium",
    "/premium%00",
    "/a/../premium",
    "/a/./premium",
    "/./premium",
    "/../premium",
    "/a/..",
    "/a/.",
    "/.",
    "/..",
    "/a/%2e%2e/premium",
    "/a/%2E%2E/premium",
    "/a/.%2e/premium",
    "/a/%2e./premium",
    "/%2e/premium",
    "/a/..;/premium",
    "/a/..;x=1/premium",
    "/a/%2e%2e;/premium",
    "/a/..%3b/premium",
    "/;/premium",
    "/;x=1/premium",
    "/a/%c0%ae%c0%ae/premium",
    "/a%c0%afpremium",
    "/a%e0%80%afpremium",
    "/a%f0%80%80%afpremium",
    "/a%c1%9cpremium",
    "/a%",
    "/a%2",
    "/a%zz",
    "/%%32e",
    "//../premium",
    "/a//../premium",
    "/a/%2e%2e%2fpremium",
    "/..%2fpremium",
    "/%2e%2e/",
    "/a/.;/b",
]
PREMIUM = [
    ("/premium", "/premium"),
    ("/%70remium", "/premium"),
    ("/premiu%6d", "/premium"),
    ("/%70%72%65%6D%69%75%6d", "/premium"),
    ("//premium", "/premium"),
    ("///premium", "/premium"),
    ("/premium/", "/premium/"),
    ("/premium//x", "/premium/x"),
    ("/premium;x=1", "/premium;x=1"),
    ("/premium;", "/premium;"),
    ("/premium%3bx", "/premium%3Bx"),
    ("/premium/a", "/premium/a"),
    ("/premium/%7euser", "/premium/~user"),
    ("/premium?x=/../y", "/premium?x=/../y"),
    ("/premium/caf%c3%a9", "/premium/caf%C3%A9"),
]
ORDINARY = [
    ("/", "/"),
    ("", "/"),
    ("/premiumx", "/premiumx"),
    ("/Premium", "/Premium"),
    ("/a..b/..c/d..", "/a..b/..c/d.."),
    ("/.well-known/x", "/.well-known/x"),
    ("/a%20b", "/a%20b"),
    ("/a%252fb", "/a%252fb"),
    ("/a[b]|c^d", "/a%5Bb%5D%7Cc%5Ed"),
    ("/a'b(c)!$&*+,=:@", "/a'b(c)!$&*+,=:@"),
    ("/%E2%82%AC", "/%E2%82%AC"),
    ("/q?a=\"b\"&c='d'&e=%zz", "/q?a=%22b%22&c=%27d%27&e=%zz"),
]


async def status_of(world: World, target: str, presented: str) -> int:
    """Written by hand: a client library would mend the path."""
    reader, writer = await world.connect()
    request = (
        f"GET /gate/files{target} HTTP/1.1\r\nHost: gate.example\r\napicharge: {presented}\r\n"
        "Connection: close\r\n\r\n"
    )
    writer.write(request.encode())
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return int(answer.split()[1])


async def test_ambiguous_paths_are_400_for_every_grant(world: World) -> None:
    presented = token(world.grant())
    statuses = {target: await status_of(world, target, presented) for target in AMBIGUOUS}
    assert statuses == dict.fromkeys(AMBIGUOUS, 400)
    assert world.upstream.requests == []


@pytest.mark.parametrize("route", ["files/premium", "files/all"])
async def test_every_spelling_is_decided_like_its_canonical_form(world: World, route: str) -> None:
    presented = token(world.grant(route=route))
    covered, other = (PREMIUM, ORDINARY) if route == "files/premium" else (ORDINARY, PREMIUM)
    for target, _ in covered:
        assert (target, await status_of(world, target, presented)) == (target, 200)
    for target, _ in other:
        assert (target, await status_of(world, target, presented)) == (target, 403)
    seen = [request.target for request in world.upstream.requests]
    assert seen == [f"/base{sent}" for _, sent in covered]


async def test_prefix_in_another_spelling_is_gated_too(world: World) -> None:
    reader, writer = await world.connect()
    for target in (b"/%67ate/files/a", b"//gate/files/a", b"/gate//files/a", b"/gate/fil%65s/a"):
        writer.write(b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 402")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        await reader.readexactly(length)
    writer.close()


async def test_method_overrides_and_spoofed_identity_do_not_cross(world: World) -> None:
    reader, writer = await world.connect()
    spoofed = (
        "X-HTTP-Method-Override: DELETE\r\nX-Original-URL: /premium\r\nX-Rewrite-Url: /premium\r\n"
        "ApiCharge-Grant: mine\r\napicharge_grant: mine\r\nX-ApiCharge-Plan: all\r\n"
        "ApiCharge-Buyer: GME\r\nForwarded: for=1.2.3.4\r\nX-Forwarded-For: 1.2.3.4\r\n"
        "X_Forwarded_For: 1.2.3.4\r\nX-Real-IP: 1.2.3.4\r\nApiCharge-Signature: t=1,v1=0\r\n"
        "Connection: close, X-Nominated, apicharge-route\r\nX-Nominated: 1\r\nTE: trailers\r\n"
        "Proxy-Authorization: x\r\nKeep-Alive: 1\r\nX-Kept: 1\r\n"
    )
    grant = world.grant()
    writer.write(
        f"GET /gate/files/a HTTP/1.1\r\nHost: h.example\r\napicharge: {token(grant)}\r\n"
        f"{spoofed}\r\n".encode()
    )
    assert (await reader.read()).startswith(b"HTTP/1.1 200")
    writer.close()
    [request] = world.upstream.requests
    assert dict(request.headers) == {
        "x-kept": "1",
        "apicharge-grant": grant.id,
        "apicharge-buyer": "GBUYER",
        "apicharge-route": "files/all",
        "forwarded": 'for=127.0.0.1;host="h.example";proto=http',
        "x-forwarded-for": "127.0.0.1",
        "x-forwarded-proto": "http",
        "x-forwarded-host": "h.example",
        "accept": "*/*",
        "user-agent": "ApiCharge",
        "host": f"127.0.0.1:{world.upstream.port}",
    }
