"""Timings of HTTP/2 that an ordinary run does not hold a busy machine to."""

import asyncio
import time
from typing import Any

import pytest
from h2.errors import ErrorCodes

from tests.gateway.http2.serving import body, echo, serving, start
from tests.http2 import connected

CUT_SECONDS_MAX = 0.1
ROUNDS = 50

pytestmark = pytest.mark.soak


async def test_cut_is_seen_in_time_beside_a_running_stream() -> None:
    cuts: dict[str, float] = {}

    async def application(scope: Any, _receive: Any, send: Any) -> None:
        await start(send)
        if scope["path"] == "/runs":
            while True:
                await body(send, bytes(16_384))
        await body(send, b"begun")
        await asyncio.sleep(0.02)
        cuts[scope["path"]] = time.monotonic()
        scope["extensions"]["abort"]()

    async with serving(application) as address, connected(*address) as client:
        running = await client.begin(client.head("/runs"))
        took = []
        for number in range(ROUNDS):
            heard = await client.over(await client.begin(client.head(f"/{number}")))
            took.append(time.monotonic() - cuts[f"/{number}"])
            assert heard.reset == ErrorCodes.CANCEL
        assert not client.streams[running].is_over
    assert max(took) <= CUT_SECONDS_MAX


async def test_unread_uploads_delay_nobody() -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/unread":
            await asyncio.Event().wait()
        await echo(scope, receive, send)

    async def seconds(client: Any) -> float:
        began = time.monotonic()
        for _ in range(ROUNDS):
            stream_id = await client.begin(client.head(method="POST"), end=False)
            await client.upload(stream_id, bytes(100_000))
            assert len((await client.over(stream_id)).body) == 100_000
        return time.monotonic() - began

    async with serving(application) as address, connected(*address) as client:
        alone = await seconds(client)
        for _ in range(50):
            unread = await client.begin(client.head("/unread", method="POST"), end=False)
            await client.upload(unread, bytes(65_000), end=False)
        assert await seconds(client) <= 2 * alone
