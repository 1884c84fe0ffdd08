"""The Autobahn test suite against an echo server, and against the same one through the gate.

`wstest` is the suite's fuzzing client, for Python 2.7 only, which no virtual environment of this
project is: `python2.7 -m pip install autobahntestsuite==25.10.1`. WSTEST holds the command, else it
is looked for on the PATH; AUTOBAHN_CASES picks some (`9.*`). What it says about each case has to be
the same with the gate and without it. Not run are 12.* and 13.*: they are about compression, which
the gate never negotiates.
"""

import asyncio
import json
import os
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
import uvloop
from websockets.asyncio.server import Server, serve

from tests.gateway.e2e.sockets import echo
from tests.gateway.e2e.world import World, running, token

pytestmark = pytest.mark.soak

WSTEST = shlex.split(os.environ.get("WSTEST", "")) or [shutil.which("wstest") or ""]
CASES = os.environ.get("AUTOBAHN_CASES", "*").split()
MESSAGE_BYTES_MAX = 64 * 1024 * 1024
TOLD = ("behavior", "behaviorClose", "remoteCloseCode")
SUITE_SECONDS = 1500


def pytest_asyncio_loop_factories() -> dict[str, Any]:
    return {"uvloop": uvloop.new_event_loop}


async def fuzz(home: Path, *servers: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What the suite says of each server, by case."""
    spec = {
        "outdir": str(home / "reports"),
        "servers": list(servers),
        "cases": CASES,
        "exclude-cases": ["12.*", "13.*"],
        "exclude-agent-cases": {},
    }
    (home / "spec.json").write_text(json.dumps(spec))
    process = await asyncio.create_subprocess_exec(
        *WSTEST, "-m", "fuzzingclient", "-s", str(home / "spec.json"), cwd=home
    )
    try:
        async with asyncio.timeout(SUITE_SECONDS):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    said: dict[str, dict[str, Any]] = json.loads((home / "reports" / "index.json").read_text())
    return said


def summed_up(case: dict[str, Any]) -> list[Any]:
    """NON-STRICT is passed, too: whether the echo of a message overtakes the fault behind it."""
    return ["OK" if case[name] == "NON-STRICT" else case[name] for name in TOLD]


async def echo_server() -> tuple[Server, str]:
    server = await serve(echo, "127.0.0.1", 0, max_size=None, compression=None)
    port = next(iter(server.sockets)).getsockname()[1]
    return server, f"ws://127.0.0.1:{port}"


@pytest.mark.skipif(not WSTEST[0], reason="wstest is not installed; WSTEST may hold its command")
async def test_every_case_behaves_as_without_the_gate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The echo server's own, which would refuse 9.3.1 and the like; the gate puts parts together.
    monkeypatch.setattr("websockets.asyncio.messages.MAX_FRAGMENTS", 1_000_000)
    server, url = await echo_server()
    async with server, running(World(tmp_path)) as world:
        timeouts = {"connect_ms": 5_000, "first_byte_ms": 100_000, "idle_ms": 300_000}
        body = world.body(upstreams=[{"url": url}], timeouts=timeouts)
        body["services"][0]["routes"][0]["message_bytes_max"] = MESSAGE_BYTES_MAX
        world.publish(body)
        limits = [
            {"kind": "calls", "count": 10_000},
            {"kind": "messages", "direction": "both", "count": 10**9},
            {"kind": "data", "direction": "both", "bytes": 10**12},
        ]
        presented = token(world.grant(limits=limits), expires_in=SUITE_SECONDS)
        said = await fuzz(
            tmp_path,
            {"agent": "direct", "url": f"{url}/"},
            {
                "agent": "gated",
                "url": f"ws://127.0.0.1:{world.port}/gate/files/",
                "protocols": ["apicharge", f"apicharge.{presented}"],
            },
        )
        await world.settled()
    told = {agent: {case: summed_up(said[agent][case]) for case in said[agent]} for agent in said}
    differing = {
        case: (told["direct"][case], told["gated"].get(case))
        for case in told["direct"]
        if told["direct"][case] != told["gated"].get(case)
    }
    assert len(told["gated"]) == len(told["direct"]) > 0
    assert differing == {}
