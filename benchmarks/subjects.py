"""Who is measured: nginx, the gateway in Lua, Envoy, our proxy without the gate, and with it.

All pass the same requests on to the same upstream, each alone on the proxies' core; they are
started together and asked in turn. Whoever is not asked costs nothing.
"""

import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import peers
from benchmarks.gate import Gate
from benchmarks.processes import LOAD_CORE, PROXY_CORE, Running, free_port, running

NGINX, LUA, ENVOY = "nginx", "nginx+Lua+Redis", "Envoy"
PLAIN, GATE = "without the gate", "with the gate"
ALL = (NGINX, LUA, ENVOY, PLAIN, GATE)
SMALL = "/weather/forecast"
LARGE = "/weather/large.bin"
LARGE_BYTES = 64 * 1024 * 1024
ANSWER = (
    '{"place":"Kampala","temperature_c":24.5,"humidity":71,"wind_ms":3.2,"summary":"light rain in '
    'the afternoon","updated":"2026-11-21T05:00:00Z","station":"HUEN"}'
)


@dataclass(frozen=True, slots=True)
class Subject:
    name: str
    process: Running
    base: str
    """What comes before the path that the upstream is asked for."""
    token: str = "none"


def _upstream(stack: ExitStack, home: Path) -> int:
    """Answers and files by nginx; what speaks on its own is behind it, under /live/."""
    files = home / "files" / LARGE.strip("/")
    files.parent.mkdir(parents=True)
    files.write_bytes(b"x" * LARGE_BYTES)
    speaker, port = free_port(), free_port()
    speaking = [sys.executable, "-m", "benchmarks.speaking", str(speaker)]
    stack.enter_context(running(LOAD_CORE, speaking, speaker))
    locations = (
        f"location = {SMALL} {{ default_type application/json; return 200 '{ANSWER}'; }} "
        f"location / {{ root {home}/files; }}"
    )
    command = peers.nginx(home, "upstream", port, speaker, locations=locations)
    stack.enter_context(running(LOAD_CORE, command, port))
    return port


@contextmanager
def subjects(home: Path) -> Iterator[tuple[Mapping[str, Subject], Gate]]:
    """Those that are here, by name, and the gate to be sold other things with."""
    with ExitStack() as stack:
        upstream = _upstream(stack, home)
        origin = f"http://127.0.0.1:{upstream}"
        found: dict[str, Subject] = {}

        def start(name: str, port: int, command: list[str], token: str = "none") -> None:
            process = stack.enter_context(running(PROXY_CORE, command, port))
            found[name] = Subject(name, process, f"http://127.0.0.1:{port}", token)

        port = free_port()
        start(NGINX, port, peers.proxy(home, port, upstream))
        if not peers.why_no_lua():
            redis, port = free_port(), free_port()
            stack.enter_context(running(PROXY_CORE, peers.redis_server(home, redis), redis))
            start(LUA, port, peers.lua(home, port, upstream, redis), peers.LUA_KEY)
        if not peers.why_no_envoy():
            port = free_port()
            start(ENVOY, port, peers.envoy(home, port, upstream))
        gate = Gate(home, origin)
        gate.publish(routes=1)
        [token] = gate.tokens(1)
        port = free_port()
        # Asked with the same requests, token and all.
        start(PLAIN, port, [sys.executable, "-m", "benchmarks.plain", str(port), origin], token)
        process = stack.enter_context(gate.serving(PROXY_CORE))
        found[GATE] = Subject(GATE, process, gate.base, token)
        yield found, gate


def absent() -> dict[str, str]:
    reasons = {LUA: peers.why_no_lua(), ENVOY: peers.why_no_envoy()}
    return {name: reason for name, reason in reasons.items() if reason}
