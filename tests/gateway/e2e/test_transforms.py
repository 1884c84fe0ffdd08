"""What a provider has changed on the way: the upstream sees it, the client never sees the key."""

import hashlib
import hmac
from typing import Any

import httpx
import pytest

from tests.gateway.e2e.upstreams import Request, raw, whole
from tests.gateway.e2e.world import World, eventually, token

HEADER = {"in": "header", "name": "X-Api-Key", "value": "sk-hidden"}
QUERY = {"in": "query", "name": "key", "value": "sk-hidden"}


async def call(
    world: World, client: httpx.AsyncClient, path: str = "/a", **options: Any
) -> tuple[httpx.Response, Request]:
    headers = {"apicharge": token(world.grant()), **options.pop("headers", {})}
    answer = await client.get(f"{world.url}{path}", headers=headers, **options)
    return answer, world.upstream.requests[-1]


async def test_key_in_a_header_takes_the_place_of_the_clients(
    world: World, client: httpx.AsyncClient
) -> None:
    world.publish(transform={"credential": HEADER})
    for theirs in ({"x-api-key": "mine"}, {"x_api_key": "mine"}, {"connection": "x-api-key"}, {}):
        answer, request = await call(world, client, headers=theirs)
        assert answer.status_code == 200
        assert request.values("x-api-key") == ["sk-hidden"]
        assert request.values("x_api_key") == []
        assert "sk-hidden" not in str(answer.headers)


async def test_key_in_the_query_takes_the_place_of_the_clients(
    world: World, client: httpx.AsyncClient
) -> None:
    world.publish(transform={"credential": QUERY})
    for path in ("/a?key=mine&b=1", "/a?%6bey=mine&b=1", "/a?b=1"):
        _, request = await call(world, client, path)
        assert request.target == "/base/a?b=1&key=sk-hidden"


@pytest.mark.parametrize("answer", [raw(b""), raw(b"nonsense\r\n\r\n")])
async def test_key_is_not_in_what_the_gate_says_about_a_failure(
    world: World, client: httpx.AsyncClient, answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    world.publish(transform={"credential": QUERY, "request_set": ["x-other: sk-hidden"]})
    world.upstream.answering = answer
    failed, _ = await call(world, client)
    assert failed.status_code == 502
    assert "sk-hidden" not in failed.text + str(failed.headers) + caplog.text


async def test_path_headers_and_host_change_as_the_provider_says(
    world: World, client: httpx.AsyncClient
) -> None:
    world.publish(
        transform={
            "strip_prefix": "/public",
            "add_prefix": "/v2",
            "host": "api.internal",
            "request_set": ["x-plan: gold"],
            "request_remove": ["referer"],
            "response_set": ["x-frame-options: DENY"],
            "response_remove": ["x-powered-by"],
        }
    )
    world.upstream.answering = whole(b"hi", "200 OK", "X-Powered-By: x", "ETag: y")
    theirs = {"referer": "z", "x-plan": "mine"}
    answer, request = await call(world, client, "/public/a", headers=theirs)
    assert request.target == "/base/v2/a"
    assert (request.values("host"), request.values("x-plan")) == (["api.internal"], ["gold"])
    assert request.values("referer") == []
    assert len(request.values("apicharge-grant")) == 1
    assert (answer.headers["x-frame-options"], answer.headers["etag"]) == ("DENY", "y")
    assert "x-powered-by" not in answer.headers
    assert answer.headers["cache-control"] == "private"


async def test_host_that_was_called_is_kept(world: World, client: httpx.AsyncClient) -> None:
    world.publish(transform={"keeps_host": True})
    headers = {"apicharge": token(world.grant())}
    for host, seen in (
        ("files.example", "files.example"),
        ("elsewhere.example", f"127.0.0.1:{world.upstream.port}"),
    ):
        path = "/a" if host == "files.example" else "/gate/files/a"
        url = f"http://127.0.0.1:{world.port}{path}"
        answer = await client.get(url, headers={**headers, "host": host})
        assert answer.status_code == 200
        assert world.upstream.requests[-1].values("host") == [seen]
    world.publish()
    _, request = await call(world, client)
    assert request.values("host") == [f"127.0.0.1:{world.upstream.port}"]


async def test_signature_covers_the_path_that_is_sent(
    world: World, client: httpx.AsyncClient
) -> None:
    world.publish(secret="ab" * 32, transform={"add_prefix": "/v2"})
    _, request = await call(world, client)
    said = dict(part.split("=") for part in request.values("apicharge-signature")[0].split(","))
    lines = [
        f"{name}: {value}"
        for name, value in request.headers
        if name.startswith(("apicharge-", "forwarded", "x-forwarded-"))
        and name != "apicharge-signature"
    ]
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    message = f"{said['t']}\nGET\n/v2/a\n{digest}".encode()
    assert said["v1"] == hmac.digest(bytes.fromhex("ab" * 32), message, "sha256").hex()


async def test_health_check_has_the_key_and_nothing_of_a_caller(
    world: World, client: httpx.AsyncClient
) -> None:
    url = f"http://127.0.0.1:{world.upstream.port}"
    world.publish(
        upstreams=[{"url": url}, {"url": f"{url}/b"}],
        health={"path": "/up", "interval_ms": 100},
        transform={"credential": HEADER, "add_prefix": "/v2"},
    )
    await eventually(lambda: len(world.upstream.requests) >= 2)
    targets = {request.target for request in world.upstream.requests}
    assert targets <= {"/up", "/b/up"}
    assert world.upstream.requests[0].values("x-api-key") == ["sk-hidden"]
