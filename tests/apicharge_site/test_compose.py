"""docker-compose.yml without containers: each service's own command and environment, on a real
PostgreSQL and a real Redis, and one purchase through all of them.

What differs from a deployment is stated here: host names become 127.0.0.1, ports are free ones,
the network is the sandbox, so `APICHARGE_PRODUCTION` is off; secrets are files in a temporary
directory.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
import yaml
from apicharge_client import steps, tokens
from apicharge_client.buying import Buyer
from apicharge_client.keys import Key
from apicharge_client.money import Budget
from apicharge_client.store import Store
from stellar_sdk import Keypair

from apicharge_site.state import secret_file
from gateway.domain import ed25519
from tests import databases, nursery
from tests.sandboxes import RunningSandbox, running_sandbox
from tests.servers import ROOT, RunningServer, answers, free_ports, running_files
from tests.waiting import until

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVING = ("gateway", "console")
AMOUNT = 1_000_000


@dataclass
class Deployment:
    home: Path
    ports: dict[str, int]
    database_url: str
    redis_url: str
    sandbox: RunningSandbox

    def origin(self, service: str) -> str:
        return f"http://127.0.0.1:{self.ports[service]}"

    def command(self, service: str) -> list[str]:
        words = shlex.split(COMPOSE["services"][service]["command"])
        port = str(self.ports.get(service, 0))
        places = {"0.0.0.0": "127.0.0.1", "8000": port, "8002": "0"}
        return [
            places.get(word, word).replace("/state/", f"{self.home}/{service}/") for word in words
        ]

    def environment(self, service: str) -> dict[str, str]:
        """What the file gives the service, and nothing of the rest of ours."""
        stated = {
            "APICHARGE_ORIGIN": self.origin("console"),
            "APICHARGE_HOSTS": "127.0.0.1",
            "APICHARGE_SECRET_KEY": "s" * 50,
            "APICHARGE_NETWORK": "sandbox",
            "APICHARGE_RPC_URL": self.sandbox.url,
            "APICHARGE_CONTRACT": "",
            "APICHARGE_MAIL": "consolemail://",
            "POSTGRES_PASSWORD": "",
            "UPSTREAM_NETWORKS": "",
        }
        given = flattened(COMPOSE["services"][service]["environment"])
        filled = {name: filled_in(text, stated) for name, text in given.items()}
        local = {
            "APICHARGE_PRODUCTION": "0",
            "APICHARGE_HOME": str(self.home / service),
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            "UPSTREAM_NETWORKS": "127.0.0.1/32",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        secrets = {
            name: text.replace("/run/secrets", str(self.home / "secrets"))
            for name, text in filled.items()
            if name.endswith("_KEY_FILE")
        }
        return {**filled, **local, **secrets}

    @contextmanager
    def running(self, service: str) -> Iterator[None]:
        module, *arguments = self.module(service)
        with (self.home / f"{service}.log").open("wb") as log:
            environment = self.environment(service)
            process = nursery.start(
                module, *arguments, environment=environment, output=log, inherits=False
            )
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def module(self, service: str) -> list[str]:
        """The command as the nursery takes it: a module, and what follows."""
        program, *arguments = self.command(service)
        if program == "python":
            program, *arguments = [arguments[0].removesuffix(".py"), *arguments[1:]]
        return [program, *arguments]


def flattened(environment: Mapping[str, Any]) -> dict[str, str]:
    """`<<: [*a, *b]` is resolved by the YAML reader; what is left are strings."""
    return {name: str(text) for name, text in environment.items()}


def filled_in(text: str, stated: Mapping[str, str]) -> str:
    """`${NAME:?…}` and `${NAME:-default}` as Compose fills them in."""
    return re.sub(r"\$\{(\w+)(?::[-?][^}]*)?\}", lambda found: stated[found[1]], text)


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    server = shutil.which("redis-server")
    if server is None:
        assert os.environ.get("CI") != "true", "redis-server is not on this machine"
        pytest.skip("redis-server is not on this machine")
    [port] = free_ports(1)
    directory = tmp_path / "redis"
    directory.mkdir()
    words = shlex.split(COMPOSE["services"]["redis"]["command"])[1:]
    command = [server, *words, "--bind", "127.0.0.1", "--port", str(port), "--dir", str(directory)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    url = f"redis://127.0.0.1:{port}/0"
    with redis.Redis.from_url(url) as client:
        until(lambda: answered(client))
    yield url
    process.terminate()
    process.wait(10)


def answered(client: "redis.Redis") -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


@pytest.fixture
def deployment(
    tmp_path: Path, postgres_server: databases.PostgresServer, redis_url: str
) -> Iterator[Deployment]:
    seeds = {name: secret_file(tmp_path / "secrets" / name) for name in COMPOSE["secrets"]}
    signer = ed25519.public_key(bytes.fromhex(seeds["quote"]))
    for service in COMPOSE["services"]:
        (tmp_path / service).mkdir(mode=0o700, exist_ok=True)
    postgres_server.execute("CREATE DATABASE compose")
    with running_sandbox(tmp_path, close_ms=100, signers=[signer]) as sandbox:
        ports = dict(zip(SERVING, free_ports(len(SERVING)), strict=True))
        url = postgres_server.url("compose")
        yield Deployment(tmp_path, ports, url, redis_url, sandbox)
    postgres_server.execute("DROP DATABASE compose WITH (FORCE)")


def set_up(deployment: Deployment) -> None:
    status, said = nursery.run(
        *deployment.module("setup"),
        environment=deployment.environment("setup"),
        seconds=60,
        inherits=False,
    )
    assert status == 0, said


@pytest.mark.postgres
def test_each_services_command_takes_part_in_one_purchase(deployment: Deployment) -> None:
    set_up(deployment)
    payee, payer = Keypair.random(), Keypair.random()
    for account in (payee, payer):
        deployment.sandbox.fund(account.public_key, "USDC")
    with ExitStack() as stack:
        for service in ("gateway", "console", "worker", "beat"):
            stack.enter_context(deployment.running(service))
        files = stack.enter_context(running_files(deployment.home))
        for service in SERVING:
            ready = f"{deployment.origin(service)}/readyz"
            until(lambda ready=ready: answers(ready), seconds=60)
        put_on_sale(deployment, files, payee.public_key)
        call = buy(deployment, payer)
        assert call("gateway") == (200, 10)
        assert call("console")[0] == 404


def put_on_sale(deployment: Deployment, upstream: str, payee: str) -> None:
    quote = {"name": "Pass", "amount": AMOUNT, "asset": "USDC", "access_seconds": 3600}
    quote["limits"] = [{"kind": "calls", "count": 10}]
    route = {"slug": "all", "path": "/", "methods": [], "quotes": [quote]}
    service = {"slug": "files", "upstream": upstream, "payee": payee, "routes": [route]}
    gateway = [deployment.origin("gateway")]
    environment = deployment.environment("console")
    RunningServer(deployment.home, gateway, deployment.sandbox, environment).sell(service)


def buy(deployment: Deployment, payer: Keypair) -> Any:
    store, key = Store(deployment.home / "buyer"), Key(payer.raw_secret_key())
    buyer = Buyer(store, key, Budget.of("USDC:1"), rpc_url=deployment.sandbox.url)
    origin = deployment.origin("console")
    with httpx.Client(timeout=60) as client:
        grant = steps.run(buyer.acquire(origin, "files/all", origin), client)
    access = Key(bytes.fromhex(grant.access_seed))
    token = tokens.derive(grant.token, access, expires_at=int(time.time()) + 60)

    def call(service: str) -> tuple[int, int]:
        url = f"{deployment.origin(service)}/gate/files/files/10.bin"
        answer = httpx.get(url, headers={"apicharge": token})
        return answer.status_code, len(answer.content)

    return call


def test_gateway_service_is_given_no_key() -> None:
    gateway = COMPOSE["services"]["gateway"]
    assert "secrets" not in gateway
    assert [name for name in gateway["environment"] if "_KEY" in name] == ["APICHARGE_SECRET_KEY"]


def test_example_environment_has_every_variable_that_compose_asks_for() -> None:
    asked = set(re.findall(r"\$\{(\w+):\?", (ROOT / "docker-compose.yml").read_text()))
    example = (ROOT / "deploy" / "example.env").read_text()
    assert asked - set(re.findall(r"^(\w+)=", example, re.MULTILINE)) == set()
