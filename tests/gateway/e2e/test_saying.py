"""What an upstream says an exchange cost, and what it gives to a grant beyond it."""

import contextlib

import httpx
import pytest

from gateway.domain.exchange import End
from gateway.routing import News
from tests.gateway.e2e.upstreams import Reader, Request, Writer, whole
from tests.gateway.e2e.world import World, eventually

CREDITS = [{"kind": "credits", "credits": 100, "per_call": 2, "max_per_call": 10}]
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


async def call(world: World, client: httpx.AsyncClient, token: str) -> httpx.Response:
    answer = await client.get(f"{world.url}/x", headers={"apicharge": token})
    await world.settled()
    return answer


@pytest.mark.parametrize(
    ("says", "cost", "clamped"),
    [
        ([], 2, 0),
        (["ApiCharge-Consume: credits=7"], 7, 0),
        (["ApiCharge-Consume: credits=0"], 0, 0),
        (["ApiCharge-Consume: credits=11"], 10, 1),
        (["ApiCharge-Consume: credits=x"], 2, 0),
    ],
)
async def test_credits_settle_up_to_what_was_reserved(
    world: World, client: httpx.AsyncClient, says: list[str], cost: int, clamped: int
) -> None:
    world.upstream.answering = whole(b"hello", "200 OK", *says)
    grant = world.grant(limits=CREDITS)
    answer = await call(world, client, world.token(grant))
    assert answer.status_code == 200
    assert "apicharge-consume" not in answer.headers
    assert world.used(grant) == cost
    await eventually(lambda: world.bookings.clamped.get(grant.id, 0) == clamped)


async def test_other_kinds_settle_only_downwards(world: World, client: httpx.AsyncClient) -> None:
    limits = [{"kind": "calls", "count": 5}, {"kind": "data", "direction": "down", "bytes": 100}]
    grant = world.grant(limits=limits)
    for says, calls, size in [("calls=0, data=2", 0, 2), ("calls=9, data=99", 1, 7)]:
        world.upstream.answering = whole(b"hello", "200 OK", f"ApiCharge-Consume: {says}")
        await call(world, client, world.token(grant))
        assert (world.used(grant, 0), world.used(grant, 1)) == (calls, size)


@pytest.mark.parametrize("adjustable", [False, True])
async def test_adjustment_is_booked_before_the_answer_goes_on(
    world: World, client: httpx.AsyncClient, adjustable: bool
) -> None:
    world.upstream.answering = whole(b"hello", "200 OK", "ApiCharge-Adjust: credits=+100")
    grant = world.grant(limits=CREDITS, adjustable=adjustable)
    answer = await call(world, client, world.token(grant))
    assert "apicharge-adjust" not in answer.headers
    assert list(world.bookings.booked.values()) == [(grant.id, 100, adjustable)]


async def test_adjustment_whose_answer_is_lost_is_asked_again_by_its_key(
    world: World, client: httpx.AsyncClient
) -> None:
    world.bookings.lost_answers = 1
    world.upstream.answering = whole(b"hello", "200 OK", "ApiCharge-Adjust: credits=-3")
    await call(world, client, world.token(world.grant(limits=CREDITS)))
    assert world.bookings.asked == 2
    assert [given for _, given, _ in world.bookings.booked.values()] == [-3]


async def test_adjustment_that_cannot_be_read_books_nothing(
    world: World, client: httpx.AsyncClient
) -> None:
    world.upstream.answering = whole(b"hello", "200 OK", "ApiCharge-Adjust: credits=100")
    assert (await call(world, client, world.token(world.grant(limits=CREDITS)))).status_code == 200
    assert world.bookings.asked == 0


async def test_running_stream_of_a_grant_that_has_run_out_is_cut_and_told(
    world: World, client: httpx.AsyncClient
) -> None:
    async def streaming(request: Request, reader: Reader, writer: Writer) -> None:
        writer.write(EVENTS + b"data: 1\n\n")
        await writer.drain()
        await reader.read()

    world.upstream.answering = streaming
    grant, other = world.grant(limits=CREDITS), world.grant(limits=CREDITS)
    got = b""
    headers = {"apicharge": world.token(grant), "accept": "text/event-stream"}
    with contextlib.suppress(httpx.RemoteProtocolError):
        async with client.stream("GET", f"{world.url}/x", headers=headers) as answer:
            async for chunk in answer.aiter_raw():
                if not got:
                    world.source.tell(News(None, run_out=frozenset({other.id})))
                    world.source.tell(News(None, run_out=frozenset({grant.id})))
                got += chunk
    assert got.startswith(b"data: 1\n\nevent: error\ndata: ")
    assert b"/problems/quota-exhausted" in got
    await eventually(lambda: any(e.grant_id == grant.id for e in world.ledger.ends))
    assert [e.reason for e in world.ledger.ends if e.grant_id == grant.id] == [End.EXHAUSTED]
    assert world.used(grant) == 2
