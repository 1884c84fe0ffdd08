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
