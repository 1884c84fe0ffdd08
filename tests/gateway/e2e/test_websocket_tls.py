"""wss upstreams: whom the gate trusts and what it shows are what they are for calls."""

from pathlib import Path
from typing import Any

import pytest

from tests.certificates import Authority, server_context
from tests.gateway.e2e.sockets import SocketUpstream, opening, refused
from tests.gateway.e2e.world import World, running, token

TRUSTED = Authority("trusted")
STRANGER = Authority("stranger")
SHOWN, FOREIGN = TRUSTED.sign("gate.example"), STRANGER.sign("gate.example")
MINE = {"ca": TRUSTED.pem, "certificate": SHOWN.certificate, "key": SHOWN.key}
UNUSABLE: dict[str, dict[str, str]] = {
    "a stranger's authority": {**MINE, "ca": STRANGER.pem},
    "a stranger's certificate": {
        "ca": TRUSTED.pem,
        "certificate": FOREIGN.certificate,
        "key": FOREIGN.key,
    },
    "no certificate": {"ca": TRUSTED.pem},
    "a key of another": {**MINE, "key": FOREIGN.key},
    "nothing": {},
}


@pytest.fixture
async def world(tmp_path: Path) -> Any:
    async with running(World(tmp_path, networks=["127.0.0.1/32", "::1/128"])) as started:
        yield started


@pytest.fixture
async def secure(world: World, tmp_path: Path) -> Any:
    """Takes only who shows a certificate of the trusted authority's."""
    upstream = SocketUpstream()
    upstream.options["ssl"] = server_context(TRUSTED.sign("localhost"), tmp_path, clients=TRUSTED)
    await upstream.start()
    yield upstream
    await upstream.stop()


def publish(world: World, upstream: SocketUpstream, scheme: str, tls: dict[str, str]) -> None:
    world.publish(upstreams=[{"url": f"{scheme}://localhost:{upstream.port}"}], tls=tls or None)


@pytest.mark.parametrize("scheme", ["wss", "https"])
async def test_certificates_are_checked_and_shown(
    world: World, secure: SocketUpstream, scheme: str
) -> None:
    publish(world, secure, scheme, MINE)
    async with opening(world, token(world.grant())) as client:
        await client.send("hello")
        assert await client.recv() == "hello"
    request = secure.peers[0].request
    assert request is not None
    assert request.headers["Host"] == f"localhost:{secure.port}"


@pytest.mark.parametrize("tls", UNUSABLE)
async def test_what_does_not_fit_is_refused_and_costs_nothing(
    world: World, secure: SocketUpstream, tls: str
) -> None:
    publish(world, secure, "wss", UNUSABLE[tls])
    grant = world.grant()
    assert (await refused(world, token(grant))).status_code == 502
    await world.settled()
    assert world.used(grant) == 0
    assert secure.peers == []
