"""No upstream address, however spelled, and no redirect leads to what is not public."""

from pathlib import Path

import httpx
import pytest

from tests.gateway.e2e.upstreams import Upstream, whole
from tests.gateway.e2e.world import World, running, token
from tests.gateway.spellings import INNER_URLS

CALLS = [{"kind": "calls", "count": 1000}]


async def test_inner_addresses_get_no_connection(tmp_path: Path, client: httpx.AsyncClient) -> None:
    async with running(World(tmp_path, networks=[])) as world:
        presented = token(world.grant(limits=CALLS))
        for url in INNER_URLS:
            base = url.rstrip("/")
            world.publish(upstreams=[{"url": f"{base}:{world.upstream.port}"}])
            answer = await client.get(f"{world.url}/a", headers={"apicharge": presented})
            assert (url, answer.status_code) == (url, 502)
            assert base not in answer.text
        assert world.upstream.connections == 0


async def test_redirect_is_passed_on_not_followed(world: World, client: httpx.AsyncClient) -> None:
    inner = Upstream()
    await inner.start()
    location = f"http://127.0.0.1:{inner.port}/secret"
    presented = token(world.grant())
    for status in ("301 Moved", "302 Found", "307 Temporary", "308 Permanent"):
        world.upstream.answering = whole(b"", status, f"Location: {location}")
        answer = await client.get(f"{world.url}/a", headers={"apicharge": presented})
        assert answer.status_code == int(status[:3])
        assert answer.headers["location"] == location
    await inner.stop()
    assert inner.connections == 0


@pytest.mark.parametrize(
    ("asked", "prefix"), [("/gate/files/a", "/gate/files"), ("/a", ""), ("/root/a", "/root")]
)
async def test_address_of_the_upstream_is_told_as_the_gates(
    world: World, client: httpx.AsyncClient, asked: str, prefix: str
) -> None:
    world.publish(root_path="/root")
    own = f"http://127.0.0.1:{world.upstream.port}"
    world.upstream.answering = whole(
        b"",
        "201 Created",
        f"Location: {own}/base/b?c=d",
        "Content-Location: /base/b",
        f"Refresh: 5; url={own}/base/b",
        f"Link: <{own}/base/next>; rel=next",
        f"X-Else: {own}",
    )
    headers = {"apicharge": token(world.grant()), "host": "" if prefix else "files.example"}
    headers = {name: value for name, value in headers.items() if value}
    answer = await client.get(f"http://127.0.0.1:{world.port}{asked}", headers=headers)
    assert answer.headers["location"] == f"{prefix}/b?c=d"
    assert answer.headers["content-location"] == f"{prefix}/b"
    assert answer.headers["refresh"] == f"5; url={prefix}/b"
    assert answer.headers["link"] == f"<{prefix}/next>; rel=next"
    world.upstream.answering = whole(b"", "302 Found", f"Location: {own}/admin")
    answer = await client.get(f"http://127.0.0.1:{world.port}{asked}", headers=headers)
    assert answer.status_code == 302
    assert "location" not in answer.headers


async def test_proxy_variables_are_not_obeyed(
    tmp_path: Path, client: httpx.AsyncClient, monkeypatch: object
) -> None:
    proxy = Upstream()
    await proxy.start()
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")  # type: ignore[attr-defined]
    async with running(World(tmp_path)) as world:
        headers = {"apicharge": token(world.grant())}
        assert (await client.get(f"{world.url}/a", headers=headers)).status_code == 200
    await proxy.stop()
    assert proxy.connections == 0
