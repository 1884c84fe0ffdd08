"""What the gate costs: requests per second of nginx, of our proxy without the gate, and with it.

A small GET; the proxy under test alone on one core, the load (wrk) and the upstream (nginx) on
another; all three in turn, several rounds, medians. Absolute figures are the machine's; the ratios
are what counts. Needs nginx, wrk, taskset and two cores.
"""

import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROXY_CORE, LOAD_CORE = "0", "1"
CONNECTIONS = 32
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "4"))
WARM_UP_SECONDS = 3
START_SECONDS = 60.0
COST_MAX = 0.20
PATH = "/weather/forecast"
ANSWER = (
    '{"place":"Kampala","temperature_c":24.5,"humidity":71,"wind_ms":3.2,"summary":"light rain in '
    'the afternoon","updated":"2026-11-21T05:00:00Z","station":"HUEN"}'
)
NGINX = """
worker_processes 1; daemon off; pid {home}/{name}.pid; error_log {home}/{name}.log;
events {{ worker_connections 4096; }}
http {{
    access_log off; keepalive_requests 100000000;
    client_body_temp_path {home}; proxy_temp_path {home}; fastcgi_temp_path {home};
    uwsgi_temp_path {home}; scgi_temp_path {home};
    upstream answering {{
        server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 100000000;
    }}
    server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ {location} }} }}
}}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(core: str, command: Sequence[str], port: int, **environment: str) -> Iterator[None]:
    process = subprocess.Popen(
        ["taskset", "-c", core, *command],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port, process)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            sys.exit(f"{process.args!r} ended with {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    sys.exit(f"nothing listens on port {port}")


def nginx(home: Path, name: str, port: int, upstream: int, location: str) -> list[str]:
    config = home / f"{name}.conf"
    config.write_text(
        NGINX.format(home=home, name=name, port=port, upstream=upstream, location=location)
    )
    return ["nginx", "-c", str(config)]


def requests_per_second(url: str, token: str, seconds: int) -> float:
    load = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}", "-H", f"apicharge: {token}", url]
    printed = subprocess.run(
        ["taskset", "-c", LOAD_CORE, *load], capture_output=True, text=True, check=True
    ).stdout
    if "Non-2xx" in printed:
        sys.exit(f"{url} refused requests:\n{printed}")
    found = re.search(r"Requests/sec:\s+([0-9.]+)", printed)
    assert found is not None, printed
    return float(found[1])


def _manage(home: Path, *arguments: str, **environment: str) -> str:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**os.environ, "APICHARGE_HOME": str(home), **environment},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def _measured(urls: dict[str, str], token: str) -> dict[str, list[float]]:
    figures: dict[str, list[float]] = {name: [] for name in urls}
    for url in urls.values():
        requests_per_second(url, token, WARM_UP_SECONDS)
    for _ in range(ROUNDS):
        for name, url in urls.items():
            figures[name].append(requests_per_second(url, token, SECONDS))
    return figures


def _start(home: Path, enter: Callable[[object], object]) -> tuple[dict[str, str], str]:
    upstream, by_nginx, plain, gate = (free_port() for _ in range(4))
    answers = f"default_type application/json; return 200 '{ANSWER}';"
    enter(running(LOAD_CORE, nginx(home, "upstream", upstream, upstream, answers), upstream))
    passes = 'proxy_http_version 1.1; proxy_set_header Connection ""; proxy_pass http://answering;'
    enter(running(PROXY_CORE, nginx(home, "proxy", by_nginx, upstream, passes), by_nginx))
    origin = f"http://127.0.0.1:{upstream}"
    command = [sys.executable, "-m", "benchmarks.plain", str(plain), origin]
    enter(running(PROXY_CORE, command, plain))

    environment = {
        "APICHARGE_HOME": str(home),
        "APICHARGE_ORIGIN": f"http://127.0.0.1:{gate}",
        "PORT": str(gate),
        "UPSTREAM_NETWORKS": "127.0.0.1/32",
    }
    _manage(home, "migrate", "-v", "0", **environment)
    selling = f"from benchmarks.selling import sell; print(sell({origin!r}))"
    shell = ("shell", "--no-imports", "-v", "0", "-c", selling)
    token = _manage(home, *shell, **environment).strip().splitlines()[-1]
    serve = [sys.executable, "manage.py", "serve", "--port", str(gate)]
    role = {"APICHARGE_ROLE": "gateway"}
    enter(running(PROXY_CORE, serve, gate, **environment, **role))
    urls = {
        "nginx proxy_pass": f"http://127.0.0.1:{by_nginx}{PATH}",
        "our proxy without the gate": f"http://127.0.0.1:{plain}{PATH}",
        "our proxy with the gate": f"http://127.0.0.1:{gate}/gate{PATH}",
    }
    return urls, token


def main() -> None:
    for tool in ("nginx", "wrk", "taskset"):
        if shutil.which(tool) is None:
            sys.exit(f"The benchmark needs {tool}; on Debian: apt-get install {tool}")
    with ExitStack() as stack, tempfile.TemporaryDirectory() as directory:
        urls, token = _start(Path(directory), stack.enter_context)  # type: ignore[arg-type]
        figures = _measured(urls, token)
        stack.close()
    medians = {name: statistics.median(each) for name, each in figures.items()}
    by_nginx, plain, gate = medians.values()
    print(f"{'one core, small GET':<28}{'req/s':>8}{'of nginx':>10}")
    for name, median in medians.items():
        print(f"{name:<28}{median:>8,.0f}{median / by_nginx:>10.2f}")
    cost = 1 - gate / plain
    print(f"\nThe gate costs {cost:.0%} of the same proxy without it (at most {COST_MAX:.0%}).")
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    sys.exit(cost > COST_MAX)
