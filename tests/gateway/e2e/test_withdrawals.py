"""What is withdrawn while the ledger is asked whether there is something left of it."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

import httpx
import pytest

from gateway.ledgers.port import Ask, Draw, Settled
from tests.gateway.e2e.sockets import SocketUpstream, refused, sockets
from tests.gateway.e2e.world import World, eventually, token

__all__ = ["sockets"]  # The fixture.

CONCURRENT = [{"kind": "calls", "count": 10}, {"kind": "concurrency", "count": 1}]


class Holding:
    """A ledger that answers draws only when it is let to."""

    def __init__(self, world: World) -> None:
        self._transact = world.ledger.transact
        self.asked, self.let = threading.Event(), threading.Event()

    def transact(self, node_id: UUID, asks: Sequence[Ask]) -> Settled:
        if any(isinstance(ask, Draw) for ask in asks):
            self.asked.set()
            assert self.let.wait(20)
        return self._transact(node_id, asks)


@pytest.fixture
async def holding(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Holding]:
    held = Holding(world)
    monkeypatch.setattr(world.ledger, "transact", held.transact)
    yield held
    held.let.set()


def withdraw_keys(world: World) -> None:
    world.publish({**world.body(), "keys": {"another": "00" * 32}})


async def withdrawn(world: World, holding: Holding, withdraw: Any, call: Any) -> httpx.Response:
    """What the call gets that was waiting at the time."""
    revision = world.gate.routing.revision
    waiting = asyncio.ensure_future(call)
    await eventually(holding.asked.is_set)
    withdraw()
    await eventually(lambda: world.gate.routing.revision > revision)
    holding.let.set()
    answer: httpx.Response = await waiting
    return answer


@pytest.mark.parametrize("what", ["grant", "key"])
async def test_call_that_waited_is_refused_and_costs_nothing(
    world: World, client: httpx.AsyncClient, holding: Holding, what: str
) -> None:
    grant = world.grant(limits=CONCURRENT)

    def withdraw() -> None:
        world.revoke(grant) if what == "grant" else withdraw_keys(world)

    call = client.get(world.url + "/a", headers={"apicharge": token(grant)})
    answer = await withdrawn(world, holding, withdraw, call)
    assert answer.json()["type"].endswith("/problems/token-revoked")
    assert world.upstream.requests == []
    assert world.used(grant) == 0
    standing = world.leasing.allowance(grant).standing
    assert standing is not None
    assert standing.refusal(0) is None


async def test_other_news_refuses_nobody(
    world: World, client: httpx.AsyncClient, holding: Holding
) -> None:
    grant, other = world.grant(), world.grant()
    call = client.get(world.url + "/a", headers={"apicharge": token(grant)})
    answer = await withdrawn(world, holding, lambda: world.revoke(other), call)
    assert answer.status_code == 200


async def test_websocket_that_waited_is_refused(
    world: World, sockets: SocketUpstream, holding: Holding
) -> None:
    grant = world.grant()
    call = refused(world, token(grant))
    answer = await withdrawn(world, holding, lambda: world.revoke(grant), call)
    assert answer.status_code == 401
    assert world.used(grant) == 0
