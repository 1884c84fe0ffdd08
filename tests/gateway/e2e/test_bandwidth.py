"""Bandwidth over real sockets: exact over seconds, smooth, both ways, no hindrance to a cut."""

import asyncio
import time

import pytest

from gateway.domain.limits import Direction
from tests.gateway.e2e.test_cuts import body_of, endless, take_all
from tests.gateway.e2e.upstreams import Reader, Request, Writer
from tests.gateway.e2e.world import World, eventually, token
from tests.promptness import is_to_the_letter, within

SPEED = 1_000_000


def sold(direction: str, speed: int = SPEED) -> dict[str, object]:
    return {"kind": "bandwidth", "direction": direction, "bytes_per_second": speed}


async def flood(request: Request, reader: Reader, writer: Writer) -> None:
    """As fast as the gate takes it, without end."""
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    while True:
        writer.write(b"x" * 65_536)
        await writer.drain()


async def arrivals(world: World, presented: str, seconds: float) -> list[tuple[float, int]]:
    """When how many bytes of a body came, in seconds since it was asked for."""
    reader, writer = await world.connect()
    began, came = time.monotonic(), list[tuple[float, int]]()
    head = f"GET /gate/files/a HTTP/1.1\r\nHost: x\r\napicharge: {presented}\r\n\r\n"
    writer.write(head.encode())
    await reader.readuntil(b"\r\n\r\n")
    while (now := time.monotonic()) < began + seconds:
        try:
            piece = await asyncio.wait_for(reader.read(2**20), began + seconds - now)
        except TimeoutError:
            break
        came.append((time.monotonic() - began, len(piece)))
    writer.transport.abort()
    return came


async def test_one_stream_is_exact_to_two_percent_over_five_seconds_and_smooth(
    world: World,
) -> None:
    world.upstream.answering = flood
    grant = world.grant(limits=[sold("down")])
    came = await arrivals(world, token(grant), 5.0)
    total, took_s = sum(size for _, size in came), came[-1][0]
    assert total <= 1.02 * took_s * SPEED
    assert total >= 0.98 * min(took_s, 5.0) * SPEED - late_bytes()
    for from_s, _ in came:
        of_a_second = sum(size for at_s, size in came if from_s <= at_s < from_s + 1)
        assert of_a_second <= 1.3 * SPEED + late_bytes()


def late_bytes() -> float:
    """What a test that was kept waiting may find less at the end, or all at once."""
    return 0 if is_to_the_letter() else SPEED


async def test_streams_of_a_grant_share_what_was_sold(world: World) -> None:
    world.upstream.answering = flood
    presented = token(world.grant(limits=[sold("down")]))
    streams = await asyncio.gather(*(arrivals(world, presented, 2.0) for _ in range(4)))
    totals = [sum(size for _, size in came) for came in streams]
    took_s = max(came[-1][0] for came in streams)
    assert sum(totals) <= 1.1 * took_s * SPEED
    assert sum(totals) >= 0.9 * 2.0 * SPEED - late_bytes()
    assert min(totals) >= 0.35 * max(totals)


async def test_grants_do_not_share(world: World) -> None:
    world.upstream.answering = flood
    tokens = [token(world.grant(limits=[sold("down")])) for _ in range(2)]
    streams = await asyncio.gather(*(arrivals(world, each, 1.5) for each in tokens))
    totals = [sum(size for _, size in came) for came in streams]
    assert min(totals) >= 1.3 * SPEED - late_bytes()


@pytest.mark.parametrize("direction", ["up", "both"])
async def test_uploads_are_paced_and_longer_than_the_upstreams_deadline(
    world: World, direction: str
) -> None:
    received = 0

    async def count(request: Request, reader: Reader, writer: Writer) -> None:
        nonlocal received
        size = int(request.values("content-length")[0])
        while received < size and (piece := await reader.read(65_536)):
            received += len(piece)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")

    world.upstream.answering = count
    presented = token(world.grant(limits=[sold(direction, 100_000)]))
    size, reader_writer = 270_000, await world.connect()
    reader, writer = reader_writer
    began = time.monotonic()
    writer.write(
        f"POST /gate/files/a HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n"
        f"apicharge: {presented}\r\n\r\n".encode()
    )
    writer.write(b"y" * size)
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
    assert time.monotonic() - began >= 2.5
    assert time.monotonic() - began <= within(3.2)
    assert head.startswith(b"HTTP/1.1 200")
    # first_byte_ms is 2000 here: time spent pacing is not the upstream's.
    assert received == size


async def test_the_other_direction_is_not_paced(world: World) -> None:
    world.upstream.answering = flood
    presented = token(world.grant(limits=[sold("up", 1000)]))
    came = await arrivals(world, presented, 0.5)
    assert sum(size for _, size in came) > SPEED


async def test_revocation_wins_over_pacing(world: World) -> None:
    world.upstream.answering = flood
    grant = world.grant(limits=[sold("down", 1)])
    taking = asyncio.ensure_future(take_all(world, token(grant)))
    await eventually(lambda: any(each.is_answered for each in world.gate.watch._running))
    began = time.monotonic()
    world.revoke(grant)
    await taking
    assert time.monotonic() - began < within(1)


async def test_a_quota_is_cut_to_the_byte_and_charges_only_what_was_let_pass(world: World) -> None:
    world.upstream.answering = endless()
    limits = [sold("down", 20_000), {"kind": "data", "direction": "down", "bytes": 12_345}]
    grant = world.grant(limits=limits)
    began = time.monotonic()
    got = await take_all(world, token(grant))
    took_s = time.monotonic() - began
    assert len(body_of(got)[0]) == 12_345
    assert took_s >= 0.4
    await world.settled()
    held = world.leasing.allowance(grant).holdings[0].held
    assert world.ledger.used_of(grant, 1) - held == 12_345


async def test_a_slow_reader_is_not_starved_by_a_greedy_one(world: World) -> None:
    world.upstream.answering = flood
    presented = token(world.grant(limits=[sold("down", 400_000)]))
    greedy = asyncio.ensure_future(arrivals(world, presented, 2.5))
    reader, writer = await world.connect()
    head = f"GET /gate/files/a HTTP/1.1\r\nHost: x\r\napicharge: {presented}\r\n\r\n"
    writer.write(head.encode())
    await reader.readuntil(b"\r\n\r\n")
    total, began = 0, time.monotonic()
    while total < 100_000:
        total += len(await asyncio.wait_for(reader.read(5_000), within(2)))
        await asyncio.sleep(0.05)
    assert time.monotonic() - began < within(2)
    assert sum(size for _, size in await greedy) >= 300_000


@pytest.mark.soak  # It measures the loop's lateness: alone on the machine.
async def test_pacing_of_a_thousand_streams_leaves_the_loop_free(world: World) -> None:
    grant = world.grant(limits=[sold("down", 2_000_000)])
    standing = world.leasing.allowance(grant).standing
    assert standing is not None
    [pacer] = standing.pacers[Direction.DOWN]

    async def drink() -> None:
        while True:
            await pacer.take(65_536)

    streams = [asyncio.ensure_future(drink()) for _ in range(1000)]
    late, loop = 0.0, asyncio.get_running_loop()
    until = loop.time() + 1.0
    while loop.time() < until:
        asked = time.perf_counter()
        await asyncio.sleep(0.005)
        late = max(late, time.perf_counter() - asked - 0.005)
    for stream in streams:
        stream.cancel()
    await asyncio.gather(*streams, return_exceptions=True)
    assert late < 0.1
