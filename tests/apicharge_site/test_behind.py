"""Looks at a service's page are counted beside it, written behind it, and shown to its provider."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.db import DatabaseError, InterfaceError
from django.test import Client

from apicharge_site import behind
from apicharge_site.behind import Behind
from billing.models import RouteDay
from billing.shops import looks as days
from gateway.asgi import Receive, Scope, Send
from marketplace import looking
from marketplace.looking import Looks
from marketplace.models import Service
from tests import waiting
from tests.marketplace import shop
from tests.promptness import within

NOW = datetime.now(UTC)
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CRAWLER = "Mozilla/5.0 (compatible; Somebot/2.1; +http://some.example/bot.html)"


async def until(condition: Callable[[], bool]) -> None:
    await asyncio.to_thread(waiting.until, condition, seconds=within(5.0))


@pytest.mark.django_db
def test_people_are_counted_and_programs_and_sellers_are_not(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = Looks()
    monkeypatch.setattr(looking, "looks", counted)
    provider = shop.stall().route.service.provider

    def look(agent: str, **headers: str) -> None:
        named = {"User-Agent": agent} if agent else {}
        client.get("/services/weather/", headers={**named, **headers})

    for _ in range(3):
        look(BROWSER)
    for agent in ("", CRAWLER, "curl/8.1", "python-httpx/0.28"):
        look(agent)
    look(BROWSER, **{"Sec-Purpose": "prefetch"})
    client.head("/services/weather/", headers={"User-Agent": BROWSER})
    client.get("/services/nowhere/", headers={"User-Agent": BROWSER})
    client.force_login(provider.owner)
    look(BROWSER)
    seen = counted.drain()
    assert list(seen.values()) == [3]
    days.write(seen)
    days.write(seen)
    assert not counted
    row = RouteDay.objects.get()
    assert (row.provider, row.route, row.views) == (provider.pk, "weather/", 6)
    page = client.get("/admin/").content.decode()
    assert '<span>Page viewed</span><meter min="0" max="6" value="6">' in page


async def test_they_are_written_some_time_after_a_request_and_not_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counted, written = Looks(), []
    service = Service(provider_id=7, slug="weather")

    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        counted.note(service, NOW)

    async def call(site: Behind) -> None:
        await site({}, None, None)  # type: ignore[arg-type]

    def write(counts: object) -> None:
        if not written:
            written.append({})
            raise DatabaseError("away")
        written.append(counts)

    monkeypatch.setattr(behind.days, "write", write)
    quick = Behind(app, counted, every_s=0.01)
    await call(quick)
    await until(lambda: bool(written and counted))
    await call(quick)
    await until(lambda: len(written) == 2)
    key = (7, "weather", NOW.date())
    assert written[1] == {key: 2}
    slow = Behind(app, counted, every_s=3_600)
    await asyncio.gather(call(slow), call(slow))
    assert len(written) == 2
    await slow.stop()
    assert written[2] == {key: 2}
    assert not counted


async def test_servers_without_a_lifespan_write_them_as_they_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And a connection that was closed loses none: that is no error of the database's own."""
    counted, written = Looks(), []
    endings: list[Callable[[], None]] = []

    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        counted.note(Service(provider_id=7, slug="weather"), NOW)

    def refuse(_counts: object) -> None:
        raise InterfaceError("connection already closed")

    monkeypatch.setattr(behind.atexit, "register", endings.append)
    site = Behind(app, counted, every_s=3_600)
    await site({}, None, None)  # type: ignore[arg-type]
    [end] = endings
    monkeypatch.setattr(behind.days, "write", refuse)
    await asyncio.to_thread(end)
    assert counted
    monkeypatch.setattr(behind.days, "write", written.append)
    await asyncio.to_thread(end)
    await asyncio.to_thread(end)
    assert written == [{(7, "weather", NOW.date()): 1}]
