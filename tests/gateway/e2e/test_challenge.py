"""The 402 in each of its forms, and what it does not do."""

from collections.abc import Mapping
from pathlib import Path

import httpx

from gateway.conf import Ports
from tests.gateway.e2e.world import ISSUER, World, running

BUYER = "G" + "A" * 55
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


async def test_says_what_is_sold_and_how_to_buy_it(world: World, client: httpx.AsyncClient) -> None:
    answer = await client.get(f"{world.url}/a")
    problem = answer.json()
    assert answer.status_code == problem["status"] == 402
    assert problem["route"] == "files/all"
    assert problem["quotes"] == [
        {
            "url": f"{ISSUER}/apicharge/v1/quotes?route=files%2Fall",
            "name": "Hour pass",
            "price": {"amount": "2500000", "asset": "USDC"},
            "access_seconds": 3600,
            "limits": [{"kind": "calls", "count": 1000}],
            "words": ["1,000 calls"],
        }
    ]
    assert problem["purchase"]["url"] == f"{ISSUER}/apicharge/v1/purchases"
    assert "0.25 USDC" in problem["guidance"]["summary"]
    assert len(problem["guidance"]["steps"]) >= 5
    assert "signable" not in problem
    assert answer.links["payment"]["url"] == problem["quotes"][0]["url"]
    assert answer.links["service-desc"]["url"] == f"{ISSUER}/openapi.json"
    assert answer.links["help"]["url"] == f"{ISSUER}/llms.txt"
    assert answer.headers["cache-control"] == "no-store"


async def test_markdown_is_the_guidance(world: World, client: httpx.AsyncClient) -> None:
    answer = await client.get(f"{world.url}/a", headers={"accept": "text/markdown"})
    assert answer.status_code == 402
    assert answer.headers["content-type"] == "text/markdown; charset=utf-8"
    assert answer.text.startswith("# This route is sold by the grant\n")
    assert "Hour pass: 0.25 USDC for 3,600 seconds of access, 1,000 calls" in answer.text


async def test_browser_without_a_page_gets_the_problem(
    world: World, client: httpx.AsyncClient
) -> None:
    answer = await client.get(f"{world.url}/a", headers={"accept": BROWSER})
    assert answer.headers["content-type"] == "application/problem+json"


async def test_ports_are_asked_only_when_they_are_wanted(
    tmp_path: Path, client: httpx.AsyncClient
) -> None:
    asked: list[tuple[str, ...]] = []

    async def page(route: str, wanted: str) -> bytes | None:
        asked.append(("page", route, wanted))
        return b"<h1>buy</h1>"

    async def signable(route: str, buyer: str, network: str) -> Mapping[str, object] | None:
        asked.append(("signable", route, buyer, network))
        return {"id": "1"}

    ports = Ports(purchase_page=page, signable=signable)
    async with running(World(tmp_path, ports=ports)) as world:
        assert "signable" not in (await client.get(f"{world.url}/a")).json()
        await client.get(f"{world.url}/a", headers={"apicharge-buyer": "nobody"})
        assert asked == []

        shown = await client.get(f"{world.url}/a?day=1", headers={"accept": BROWSER})
        assert (shown.status_code, shown.text) == (402, "<h1>buy</h1>")
        assert f"default-src 'self' {ISSUER};" in shown.headers["content-security-policy"]
        by_header = await client.get(f"{world.url}/a", headers={"apicharge-buyer": BUYER})
        by_query = await client.get(f"{world.url}/a?apicharge-buyer={BUYER}")
        assert by_header.json()["signable"] == by_query.json()["signable"] == {"id": "1"}
    one = ("signable", "files/all", BUYER, "127.0.0.1")
    assert asked == [("page", "files/all", "/gate/files/a?day=1"), one, one]


async def test_changed_offers_are_shown_at_once(world: World, client: httpx.AsyncClient) -> None:
    await client.get(f"{world.url}/a")
    body = world.body()
    for route in body["services"][0]["routes"]:
        route["offers"] = []
    world.publish(body)
    problem = (await client.get(f"{world.url}/a")).json()
    assert problem["quotes"] == []
    assert "nothing is on sale" in problem["guidance"]["summary"]


async def test_a_host_of_its_own_shows_a_browser_what_it_is(
    tmp_path: Path, client: httpx.AsyncClient
) -> None:
    asked: list[tuple[str, str]] = []

    async def front(slug: str, path: str) -> bytes | None:
        asked.append((slug, path))
        return b"<h1>here</h1>" if path == "/" else None

    async with running(World(tmp_path, ports=Ports(front_page=front))) as world:
        body, here = world.body(), f"http://127.0.0.1:{world.port}"
        for route in body["services"][0]["routes"]:
            route["path"] = f"/v1{route['path']}".rstrip("/")
        world.publish(body)
        own, browser = {"host": "files.example"}, {"accept": BROWSER}
        shown = await client.get(f"{here}/", headers={**own, **browser})
        assert (shown.status_code, shown.text) == (200, "<h1>here</h1>")
        assert "script-src" not in shown.headers["content-security-policy"]
        assert f"default-src {ISSUER};" in shown.headers["content-security-policy"]
        elsewhere = (own, "/"), ({**own, **browser}, "/elsewhere"), (browser, "/gate/files/")
        for headers, path in elsewhere:
            answer = await client.get(f"{here}{path}", headers=headers)
            assert answer.status_code in {402, 404}
            assert answer.text != "<h1>here</h1>"
        posted = await client.post(f"{here}/", headers={**own, **browser})
        assert posted.status_code == 404
        absent = await client.get(f"{here}/reference", headers={**own, **browser})
        assert absent.status_code == 404
    assert asked == [("files", "/"), ("files", "/reference")]
