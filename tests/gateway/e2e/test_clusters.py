"""Several destinations share the load; one that dies is not missed, one that is back is used."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import httpx

from gateway.domain.tokens import Charge
from tests.gateway.e2e.upstreams import Reader, Request, Upstream, Writer, raw, whole
from tests.gateway.e2e.world import World, eventually, token
from tests.promptness import within

MANY = [{"kind": "calls", "count": 1_000_000}]


class Destination(Upstream):
    """Dies with all its connections, and comes back on the same port."""

    async def die(self) -> None:
        await self.stop()
        self._server = None

    async def come_back(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextlib.asynccontextmanager
async def destinations(count: int) -> AsyncIterator[list[Destination]]:
    made = [Destination() for _ in range(count)]
    for each in made:
        await each.start()
    try:
        yield made
    finally:
        for each in made:
            if each._server is not None:
                await each.stop()


def publish(world: World, several: list[Destination], *weights: int, **service: Any) -> None:
    places: list[dict[str, Any]] = [{"url": each.url} for each in several]
    for place, weight in zip(places, weights, strict=False):
        place["weight"] = weight
    world.publish(upstreams=places, **service)


async def shares(
    world: World, client: httpx.AsyncClient, several: list[Destination], calls: int
) -> list[int]:
    presented = {"apicharge": token(world.grant(limits=MANY))}
    for _ in range(calls):
        assert (await client.get(f"{world.url}/a", headers=presented)).status_code == 200
    return [len(each.requests) for each in several]


async def test_one_of_three_dies_under_load_and_nobody_notices(
    world: World, client: httpx.AsyncClient
) -> None:
    async def slow(request: Request, reader: Reader, writer: Writer) -> None:
        await asyncio.sleep(0.005)
        await whole(b"x" * 1000)(request, reader, writer)

    async with destinations(3) as several:
        for each in several:
            each.answering = slow
        publish(world, several)
        presented = {"apicharge": token(world.grant(limits=MANY))}
        statuses: Counter[int] = Counter()
        done = asyncio.Event()

        async def caller() -> None:
            while not done.is_set():
                answer = await client.get(f"{world.url}/a", headers=presented)
                statuses[answer.status_code] += 1
                assert len(answer.content) == 1000 or answer.status_code != 200

        async with asyncio.TaskGroup() as group:
            for _ in range(12):
                group.create_task(caller())
            await eventually(lambda: len(several[2].requests) > 30)
            await several[2].die()
            survived = statuses[200]
            await eventually(lambda: statuses[200] > survived + 300)
            before = len(several[2].requests)
            await several[2].come_back()
            back_at = time.monotonic()
            await eventually(lambda: len(several[2].requests) > before + 10, within(5.0))
            took = time.monotonic() - back_at
            done.set()
        assert set(statuses) == {200}
        assert took < within(5.0)


async def test_shares_follow_the_weights(world: World, client: httpx.AsyncClient) -> None:
    async with destinations(3) as several:
        publish(world, several, 1, 2, 3, balancing="weighted")
        assert await shares(world, client, several, 12) == [2, 4, 6]
        publish(world, several, 1, 2, 3)
        assert await shares(world, client, several, 12) == [6, 8, 10]


async def test_least_requests_goes_where_less_runs(world: World, client: httpx.AsyncClient) -> None:
    release = asyncio.Event()

    async def held(request: Request, reader: Reader, writer: Writer) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nx")
        await writer.drain()
        await release.wait()
        writer.write(b"y")

    async with destinations(2) as several:
        several[0].answering = several[1].answering = held
        publish(world, several, balancing="least_requests")
        presented = {"apicharge": token(world.grant(limits=MANY))}
        async with asyncio.TaskGroup() as group:
            first = group.create_task(client.get(f"{world.url}/a", headers=presented))
            await eventually(lambda: sum(len(each.requests) for each in several) == 1)
            [busy] = [each for each in several if each.requests]
            [idle] = [each for each in several if not each.requests]
            idle.answering = whole()
            for number in range(4):
                answer = await client.get(f"{world.url}/a", headers=presented)
                assert (answer.status_code, len(idle.requests)) == (200, number + 1)
            release.set()
        assert (first.result().text, len(busy.requests)) == ("xy", 1)


async def test_dropped_call_is_repeated_only_where_that_is_safe(
    world: World, client: httpx.AsyncClient
) -> None:
    async with destinations(2) as several:
        several[0].answering = raw(b"")
        for number, (method, body, repeated) in enumerate(
            [("GET", b"", True), ("DELETE", b"", True), ("POST", b"", False), ("PUT", b"x", False)]
        ):
            world.gate.calling._states.clear()  # Nothing is known of the destinations yet.
            grant = world.grant(limits=MANY, charge=Charge.SUCCESS)
            publish(world, several)
            statuses = []
            for _ in range(2):
                presented = {"apicharge": token(grant)}
                answer = await client.request(
                    method, f"{world.url}/{number}", headers=presented, content=body or None
                )
                statuses.append(answer.status_code)
            assert sorted(statuses) == ([200, 200] if repeated else [200, 502]), method
            await world.settled()
            assert world.used(grant) == statuses.count(200)


async def test_answered_error_is_passed_on_and_the_destination_left_alone(
    world: World, client: httpx.AsyncClient
) -> None:
    async with destinations(2) as several:
        several[0].answering = whole(b"no", "500 Broken")
        publish(world, several)
        presented = {"apicharge": token(world.grant(limits=MANY))}
        statuses = Counter(
            [(await client.get(f"{world.url}/a", headers=presented)).status_code for _ in range(20)]
        )
        assert statuses == {500: 5, 200: 15}


async def test_all_destinations_gone_is_refused_at_once_and_costs_nothing(
    world: World, client: httpx.AsyncClient
) -> None:
    async with destinations(2) as several:
        for each in several:
            await each.die()
        publish(world, several)
        grant = world.grant(limits=MANY, charge=Charge.ALWAYS)
        for _ in range(6):
            answer = await client.get(f"{world.url}/a", headers={"apicharge": token(grant)})
            assert answer.status_code == 502
        await world.settled()
        assert world.used(grant) == 0
        await several[1].come_back()
        statuses: list[int] = []
        async with asyncio.timeout(5):
            while 200 not in statuses:
                answer = await client.get(f"{world.url}/a", headers={"apicharge": token(grant)})
                statuses.append(answer.status_code)


async def test_health_check_takes_a_destination_out_and_back(
    world: World, client: httpx.AsyncClient
) -> None:
    healthy = True

    async def answering(request: Request, reader: Reader, writer: Writer) -> None:
        well = healthy or request.target != "/up"
        await whole(b"hi", "200 OK" if well else "503 Ill")(request, reader, writer)

    def calls(destination: Destination) -> int:
        return sum(request.target != "/up" for request in destination.requests)

    health = {"path": "/up", "interval_ms": 100, "healthy_after": 2, "unhealthy_after": 2}
    async with destinations(2) as several:
        several[0].answering = answering
        publish(world, several, health=health)
        presented = {"apicharge": token(world.grant(limits=MANY))}

        async def ask() -> None:
            assert (await client.get(f"{world.url}/a", headers=presented)).status_code == 200

        def down() -> bool:
            states = world.gate.calling._states
            return bool(states) and states["files"].destinations[0].is_down

        healthy = False
        await eventually(down)
        before = calls(several[0])
        for _ in range(6):
            await ask()
        assert calls(several[0]) == before
        healthy = True
        await eventually(lambda: not down(), within(5.0))
        for _ in range(4):
            await ask()
        assert calls(several[0]) == before + 2
        probes = [request for request in several[0].requests if request.target == "/up"]
        assert not any(name.startswith("apicharge") for name, _ in probes[0].headers)


async def test_what_runs_is_counted_down_however_it_ends(
    world: World, client: httpx.AsyncClient
) -> None:
    async def held(request: Request, reader: Reader, writer: Writer) -> None:
        await reader.read()

    async with destinations(2) as several:
        publish(world, several)
        presented = {"apicharge": token(world.grant(limits=MANY))}
        await client.get(f"{world.url}/a", headers=presented)
        for each in several:
            each.answering = held
        for _ in range(4):
            with contextlib.suppress(httpx.ReadTimeout):
                await client.get(f"{world.url}/a", headers=presented, timeout=0.2)
        await world.settled()
        state = world.gate.calling._states["files"]
        assert [each.running for each in state.destinations] == [0, 0]
        assert not any(each.on_trial for each in state.destinations)


async def test_routes_own_timeout_holds_for_that_route(
    world: World, client: httpx.AsyncClient
) -> None:
    async def silent(request: Request, reader: Reader, writer: Writer) -> None:
        await reader.read()

    world.upstream.answering = silent
    body = world.body()
    body["services"][0]["routes"][1]["timeouts"] = {"first_byte_ms": 200}
    body["services"][0]["timeouts"] = {"first_byte_ms": 20_000}
    world.publish(body)
    presented = {"apicharge": token(world.grant(route="files/premium"))}
    began = time.monotonic()
    answer = await client.get(f"{world.url}/premium/a", headers=presented)
    assert (answer.status_code, time.monotonic() - began < within(5)) == (504, True)


async def test_clients_of_former_settings_go_and_what_runs_on_them_goes_on(
    world: World, client: httpx.AsyncClient
) -> None:
    more = asyncio.Event()

    async def answering(request: Request, reader: Reader, writer: Writer) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst")
        await more.wait()
        writer.write(b"after")

    world.upstream.answering = answering
    headers = {"apicharge": token(world.grant())}
    async with client.stream("GET", f"{world.url}/a", headers=headers) as running:
        pieces = running.aiter_raw()
        assert await anext(pieces) == b"first"
        world.upstream.answering = whole()
        for idle_ms in (3000, 4000, 5000):
            world.publish(timeouts={"first_byte_ms": 3000, "idle_ms": idle_ms})
            await eventually(lambda: world.gate.routing.revision == world.version)
            assert (await client.get(f"{world.url}/a", headers=headers)).status_code == 200
            assert len(world.gate._upstreams._pins) == 1
        world.publish(slug="others", upstreams=[{"url": "http://127.0.0.1:1"}])
        await eventually(lambda: not world.gate._upstreams._pins)
        more.set()
        assert await anext(pieces) == b"after"
