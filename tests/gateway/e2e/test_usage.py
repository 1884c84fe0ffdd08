"""What is counted of calls over real sockets, and what a scrape tells of it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.conf import Ports
from gateway.domain.chronicle import Call, Line
from gateway.figures import Figure, Histogram, figures
from tests.fakes.chronicle import MemoryBooks
from tests.fakes.ledger import MemoryBookings
from tests.gateway.e2e.upstreams import raw, whole
from tests.gateway.e2e.world import World, running, token
from tests.promptness import within

CREDITS = [{"kind": "credits", "credits": 100, "per_call": 2, "max_per_call": 9}]


class Counted(World):
    def __init__(self, home: Path, **options: Any) -> None:
        self.books = MemoryBooks()
        ports = Ports(bookings=MemoryBookings(), books=self.books)
        super().__init__(home, ports=ports, **options)

    async def line(self, grant_id: str = "", route: str = "files/all") -> Line:
        """All that was written of them; the gate counts no more after it."""
        await self.settled()
        await self.gate.chronicle.stop()
        total = Line()
        for key, line in self.books.lines().items():
            if (key.grant_id, key.route_id) == (grant_id, route):
                total.add(line)
        return total


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Counted]:
    async with running(Counted(tmp_path)) as started:
        yield started


async def test_call_is_counted_with_its_bytes_and_credits(
    world: Counted, client: httpx.AsyncClient
) -> None:
    grant = world.grant(limits=CREDITS)
    headers = {"apicharge": token(grant)}
    world.upstream.answering = whole(b"x" * 70_000, "200 OK", "ApiCharge-Consume: credits=7")
    assert (await client.post(f"{world.url}/a?q=1", headers=headers, content=b"abc")).is_success
    world.upstream.answering = whole(b"hello")
    assert (await client.get(f"{world.url}/b", headers=headers)).is_success
    line = await world.line(grant.id)
    assert (line.calls, line.bytes_up, line.bytes_down, line.credits) == (2, 3, 70_005, 9)
    assert (line.upstream_failures, sum(line.latencies), line.refusals) == (0, 2, {})
    first, second = line.recent
    assert (first.method, first.path, first.status, first.end) == ("POST", "/a", 200, "completed")
    assert (second.method, second.path, second.credits) == ("GET", "/b", 2)
    assert second.answered_in_s is not None
    assert second.answered_in_s < within(5)


async def test_upstreams_failures_are_told_apart(world: Counted, client: httpx.AsyncClient) -> None:
    grant = world.grant()
    headers = {"apicharge": token(grant)}
    for answering in (
        whole(b"", "503 Busy"),
        raw(b"no HTTP\r\n\r\n"),
        whole(b"", "404 Not Found"),
    ):
        world.upstream.answering = answering
        await client.get(f"{world.url}/a", headers=headers)
    line = await world.line(grant.id)
    assert (line.calls, line.upstream_failures) == (3, 2)
    ends = [(call.status, str(call.end)) for call in line.recent]
    assert ends[0] == (503, "completed")
    assert ends[1][0] is None
    assert ends[1][1].startswith("upstream_")


async def test_refusals_are_counted_by_reason_with_a_grant_and_without(
    world: Counted, client: httpx.AsyncClient
) -> None:
    grant = world.grant(limits=[{"kind": "calls", "count": 1}])
    headers = {"apicharge": token(grant)}
    statuses = [(await client.get(f"{world.url}/a", headers=headers)).status_code for _ in "123"]
    assert statuses == [200, 402, 402]
    await client.get(f"{world.url}/a")
    await client.get(f"{world.url}/a", headers={"apicharge": "nonsense"})
    await client.get(f"{world.url}/premium/x", headers=headers)
    await client.get(f"{world.url}/%2f")
    line = await world.line(grant.id)
    assert (line.calls, line.refusals) == (1, {"quota-exhausted": 2})
    unpaid = await world.line()
    assert (unpaid.calls, unpaid.refusals) == (0, {"invalid-token": 1, "payment-required": 1})
    assert (await world.line(grant.id, "files/premium")).refusals == {"out-of-scope": 1}
    assert (await world.line("", "")).refusals == {"ambiguous-path": 1}


async def test_usage_is_the_providers_who_sold_the_route(
    world: Counted, client: httpx.AsyncClient
) -> None:
    world.publish(world.body(provider=42))
    await client.get(f"{world.url}/a", headers={"apicharge": token(world.grant())})
    await client.get(f"{world.url}/a")
    await world.line()
    assert {key.provider for key in world.books.lines()} == {42}


async def test_scrape_tells_what_this_process_did(
    world: Counted, client: httpx.AsyncClient
) -> None:
    grant = world.grant()
    header = "X-Bad: \xff\xfe"
    world.upstream.answering = raw(
        f"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n{header}\r\n\r\nok".encode("latin-1")
    )
    assert (await client.get(f"{world.url}/a", headers={"apicharge": token(grant)})).is_success
    await client.get(f"{world.url}/a")
    await world.line()
    told = {figure.name: figure for figure in figures(world.gate)}
    values = {
        (name, *values): value
        for name, figure in told.items()
        if isinstance(figure, Figure)
        for values, value in figure.samples
        for values in [tuple(values)]
    }
    assert values["calls",] == 1
    assert values["open_exchanges",] == 0
    assert values["refused", "payment-required"] == 1
    assert values["body_bytes", "down"] == 2
    assert values["undecodable_headers", "answer"] == 1
    assert (values["leases",], values["rate_fallbacks",]) == (1, 0)
    assert values["snapshot_fresh",] in {True, False}
    assert values["usage_lines_written",] == 2
    latency = told["answer_seconds"]
    assert isinstance(latency, Histogram)
    assert sum(latency.counts) == 1
    assert len(latency.bounds) == len(latency.counts)


async def test_cut_call_is_counted_with_what_passed(
    world: Counted, client: httpx.AsyncClient
) -> None:
    grant = world.grant(limits=[{"kind": "data", "direction": "down", "bytes": 1000}])
    world.upstream.answering = whole(b"x" * 5000)
    headers = {"apicharge": token(grant)}
    with pytest.raises(httpx.RemoteProtocolError):
        await asyncio.wait_for(client.get(f"{world.url}/a", headers=headers), 20)
    line = await world.line(grant.id)
    [call] = line.recent
    assert isinstance(call, Call)
    assert (call.end, line.bytes_down) == ("exhausted", 1000)


async def test_events_that_a_grant_counts_are_messages_of_its_usage(
    world: Counted, client: httpx.AsyncClient
) -> None:
    grant = world.grant(limits=[{"kind": "messages", "direction": "down", "count": 10}])
    events = b"".join(b"data: %d\n\n" % number for number in range(3))
    world.upstream.answering = whole(events, "200 OK", "Content-Type: text/event-stream")
    headers = {"apicharge": token(grant), "accept": "text/event-stream"}
    assert (await client.get(f"{world.url}/a", headers=headers)).content == events
    line = await world.line(grant.id)
    assert (line.calls, line.messages, line.bytes_down) == (1, 3, len(events))
