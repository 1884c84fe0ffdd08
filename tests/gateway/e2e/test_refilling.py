"""Rate, concurrency and schedule over real sockets: 429 and when to come again."""

import asyncio
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import httpx

from gateway.domain.schedules import DAYS
from tests.gateway.e2e.test_cuts import body_of, endless, take_all
from tests.gateway.e2e.upstreams import whole
from tests.gateway.e2e.world import World, eventually, token
from tests.promptness import within

CALLS = {"kind": "calls", "count": 1000}


def hours(opens: datetime, closes: datetime) -> dict[str, object]:
    window = {"days": list(DAYS), "start": f"{opens:%H:%M}", "end": f"{closes:%H:%M}"}
    return {"kind": "schedule", "timezone": "UTC", "windows": [window]}


def open_calls(world: World, grant: object) -> int:
    standing = world.leasing.allowance(grant).standing  # type: ignore[arg-type]
    assert standing is not None
    return standing.open


async def test_rate_serves_exactly_what_was_sold_and_says_when_there_is_more(
    world: World, client: httpx.AsyncClient
) -> None:
    grant = world.grant(limits=[CALLS, {"kind": "rate", "count": 100, "window_seconds": 10}])
    headers = {"apicharge": token(grant)}
    answers = await asyncio.gather(
        *(client.get(f"{world.url}/a", headers=headers) for _ in range(150))
    )
    assert Counter(answer.status_code for answer in answers) == {200: 100, 429: 50}
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.json()["type"].endswith("/problems/rate-exceeded")
    assert 1 <= int(refused.headers["retry-after"]) <= 10
    assert refused.headers["ratelimit-policy"] == '"calls";q=1000, "rate";q=100;w=10'
    assert '"rate";r=0;t=' in refused.headers["ratelimit"]
    await world.settled()
    assert world.used(grant) == 100


async def test_rate_comes_back(world: World, client: httpx.AsyncClient) -> None:
    grant = world.grant(limits=[{"kind": "rate", "count": 2, "window_seconds": 1}])
    headers = {"apicharge": token(grant)}

    async def status() -> int:
        return (await client.get(f"{world.url}/a", headers=headers)).status_code

    assert [await status(), await status(), await status()] == [200, 200, 429]
    deadline = time.monotonic() + 5
    while await status() == 429:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def test_refused_by_one_limit_costs_nothing_of_the_others(
    world: World, client: httpx.AsyncClient
) -> None:
    rate, once = {"kind": "rate", "count": 3, "window_seconds": 60}, {"kind": "calls", "count": 1}
    grant = world.grant(limits=[rate, once])
    headers = {"apicharge": token(grant)}
    statuses = [(await client.get(f"{world.url}/a", headers=headers)).status_code for _ in "12345"]
    assert statuses == [200, 402, 402, 402, 402]
    assert open_calls(world, grant) == 0


async def test_an_upstream_failure_counts_for_the_rate(
    world: World, client: httpx.AsyncClient
) -> None:
    world.upstream.answering = whole(b"", "500 Broken")
    grant = world.grant(limits=[CALLS, {"kind": "rate", "count": 2, "window_seconds": 60}])
    headers = {"apicharge": token(grant)}
    statuses = [(await client.get(f"{world.url}/a", headers=headers)).status_code for _ in "123"]
    assert statuses == [500, 500, 429]
    await world.settled()
    assert world.used(grant) == 0


async def test_no_more_run_at_a_time_than_were_sold(
    world: World, client: httpx.AsyncClient
) -> None:
    world.upstream.answering = endless()
    grant = world.grant(limits=[{"kind": "concurrency", "count": 5}])
    presented = token(grant)
    writers = []
    for _ in range(5):
        reader, writer = await world.connect()
        head = f"GET /gate/files/a HTTP/1.1\r\nHost: x\r\napicharge: {presented}\r\n\r\n"
        writer.write(head.encode())
        await reader.readuntil(b"\r\n\r\n")
        writers.append(writer)
    refused = await client.get(f"{world.url}/a", headers={"apicharge": presented})
    assert refused.status_code == 429
    assert refused.json()["type"].endswith("/problems/too-many-at-once")
    assert '"concurrency";r=0;t=0' in refused.headers["ratelimit"]
    assert open_calls(world, grant) == 5
    writers[0].transport.abort()
    await eventually(lambda: open_calls(world, grant) == 4)
    world.upstream.answering = whole()
    served = await client.get(f"{world.url}/a", headers={"apicharge": presented})
    assert served.status_code == 200


async def test_a_thousand_aborts_leave_no_slot_taken(world: World) -> None:
    world.upstream.answering = endless()
    grant = world.grant(limits=[{"kind": "concurrency", "count": 50}])
    head = f"GET /gate/files/a HTTP/1.1\r\nHost: x\r\napicharge: {token(grant)}\r\n\r\n".encode()

    async def abort_at(stage: int) -> None:
        reader, writer = await world.connect()
        writer.write(head)
        if stage:
            await writer.drain()
        if stage > 1:
            await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

    for _ in range(25):
        await asyncio.gather(*(abort_at(number % 3) for number in range(40)))
    await eventually(lambda: len(world.gate.watch) == 0)
    assert open_calls(world, grant) == 0


async def test_outside_its_hours_a_grant_does_not_work(
    world: World, client: httpx.AsyncClient
) -> None:
    now = datetime.now(UTC)
    later = now + timedelta(hours=2)
    grant = world.grant(limits=[hours(later, later + timedelta(hours=1))])
    refused = await client.get(f"{world.url}/a", headers={"apicharge": token(grant)})
    assert refused.status_code == 429
    assert refused.json()["type"].endswith("/problems/outside-schedule")
    opens_s = later.replace(second=0, microsecond=0).timestamp()
    assert abs(int(refused.headers["retry-after"]) - (opens_s - time.time())) < 3
    assert "ratelimit-policy" not in refused.headers


async def test_the_end_of_its_hours_ends_a_running_answer(world: World) -> None:
    world.upstream.answering = endless()
    now = datetime.now(UTC)
    grant = world.grant(limits=[hours(now - timedelta(hours=1), now + timedelta(hours=1))])
    standing = world.leasing.allowance(grant).standing
    assert standing is not None
    [each] = standing.hours
    each.changes_at_s(time.time())
    each._changes_at_s = closes_at_s = time.time() + 1.0
    got = await take_all(world, token(grant))
    body, is_whole = body_of(got)
    assert body
    assert not is_whole
    assert time.time() >= closes_at_s
    assert time.time() - closes_at_s < within(0.5)
    await eventually(lambda: world.ledger.ends)
    assert world.ledger.ends[-1].reason == "outside_schedule"
