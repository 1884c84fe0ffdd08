"""What each role mounts, and what it refuses to hold."""

import contextlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests import nursery
from tests.apicharge_site.conftest import Site
from tests.servers import Process, answers, free_ports
from tests.waiting import until

SEED = "5" * 64
METRICS_TOKEN = "for-whoever-may-scrape"


@contextmanager
def another(site: Site, role: str, home: Path, *command: str) -> Iterator[str]:
    """One more process on the site's database, with a state directory of its own."""
    [port] = free_ports(1)
    database = f"sqlite:///{site.server.home}/apicharge.sqlite3"
    changed = {"APICHARGE_ROLE": role, "APICHARGE_HOME": str(home), "DATABASE_URL": database}
    changed["APICHARGE_METRICS_TOKEN"] = METRICS_TOKEN
    process = Process(
        [word.format(port=port) for word in command],
        {**site.server.environment, **changed},
        home / f"{role}.log",
    )
    process.start()
    origin = f"http://127.0.0.1:{port}"
    try:
        until(lambda: answers(f"{origin}/readyz"), seconds=60)
        yield origin
    finally:
        process.kill()


SERVE = ("manage", "serve", "--port", "{port}", "--h2-port", "0")


@dataclass
class Gateway:
    origin: str
    home: Path


@pytest.fixture(scope="module")
def gateway(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("gateway")
    with another(site, "gateway", home, *SERVE) as origin:
        yield Gateway(origin, home)


def test_gateway_serves_gated_routes_without_keys_and_nothing_else(
    site: Site, gateway: Gateway
) -> None:
    token, origin = site.token(), gateway.origin
    gated = httpx.get(f"{origin}/gate/files/files/10.bin", headers={"apicharge": token})
    assert (gated.status_code, len(gated.content)) == (200, 10)
    assert httpx.get(f"{origin}/gate/files/files/10.bin").status_code == 402
    for path in ("/", "/admin/", "/apicharge/v1/quotes", "/static/css/site.css"):
        assert httpx.get(f"{origin}{path}").status_code == 404, path
    kept = {path.name for path in (gateway.home / "keys").glob("*")}
    assert not kept & {"quote", "grant", "channel"}


HANDED_OVER = """
import hashlib, time
from billing.models import HandOver, Purchase
HandOver.objects.create(
    code_hash=hashlib.sha256({code!r}.encode()).hexdigest(),
    purchase=Purchase.objects.first(),
    origin={origin!r},
    base="/gate/files",
    cookie_path="/gate/files",
    back="/gate/files/files/10.bin",
    token={token!r},
    token_expires_at_s=int(time.time()) + 60,
    expires_at_s=int(time.time()) + 60,
)
"""


def test_gateway_exchanges_a_code_for_the_cookie_of_a_route(site: Site, gateway: Gateway) -> None:
    token, code, origin = site.token(), "c" * 43, gateway.origin
    with httpx.Client() as browser:
        address = f"{origin}/gate/files/.apicharge/exchange?code={code}"
        assert browser.get(address).status_code == 410
        site.server.python(HANDED_OVER.format(code=code, origin=origin, token=token))
        assert browser.head(address).status_code == 405
        shown = browser.get(address, follow_redirects=True)
        assert (shown.status_code, len(shown.content)) == (200, 10)
        assert browser.get(address).status_code == 410


def test_gateway_tells_its_figures_to_who_has_the_token_and_writes_usage(
    site: Site, gateway: Gateway
) -> None:
    token, origin = site.token(), gateway.origin
    assert httpx.get(f"{origin}/metrics").status_code == 401
    shown = {"authorization": f"Bearer {METRICS_TOKEN}"}

    def counted(name: str) -> float:
        lines = httpx.get(f"{origin}/metrics", headers=shown).text.splitlines()
        told = (line.removeprefix(name) for line in lines if line.startswith(f"{name} "))
        return float(next(told, "0"))

    calls, refused = "apicharge_calls_total", 'apicharge_refused_total{problem="payment-required"}'
    before = {name: counted(name) for name in (calls, refused)}
    for headers in ({"apicharge": token}, {}):
        httpx.get(f"{origin}/gate/files/files/10.bin", headers=headers)
    # What earlier tests called may be counted meanwhile, too.
    for name, count in before.items():
        until(lambda name=name, count=count: counted(name) > count, seconds=30)
    with contextlib.closing(sqlite3.connect(site.server.home / "apicharge.sqlite3")) as database:
        newest = "SELECT grant_id FROM gateway_grantledger ORDER BY created_at DESC LIMIT 1"
        grant = database.execute(newest).fetchone()
        for question, answered in (
            ("SELECT calls, bytes_down FROM gateway_usageminute WHERE grant = ?", (1, 10)),
            ("SELECT path, status FROM gateway_recentcall WHERE grant = ?", ("/files/10.bin", 200)),
        ):
            until(lambda q=question: database.execute(q, grant).fetchall(), seconds=30)
            assert database.execute(question, grant).fetchall() == [answered]
    assert counted("apicharge_usage_lines_written_total") >= 2
    assert httpx.get(f"{site.origin}/metrics").status_code == 404


def test_console_serves_the_site_and_no_gate(site: Site, tmp_path: Path) -> None:
    with another(site, "console", tmp_path, *SERVE) as origin:
        assert httpx.get(f"{origin}/").status_code == 200
        assert httpx.get(f"{origin}/apicharge/v1/quotes").status_code == 200
        assert httpx.get(f"{origin}/accounts/login/").status_code == 200
        assert httpx.get(f"{origin}/gate/files/files/10.bin").status_code == 404


def test_runserver_serves_the_admin_and_gates_a_small_call(site: Site, tmp_path: Path) -> None:
    token = site.token()
    command = ("manage", "runserver", "--noreload", "{port}")
    with another(site, "all", tmp_path, *command) as origin:
        assert "Log in" in httpx.get(f"{origin}/accounts/login/").text
        assert httpx.get(f"{origin}/gate/files/files/10.bin").status_code == 402
        gated = httpx.get(f"{origin}/gate/files/files/10.bin", headers={"apicharge": token})
        assert (gated.status_code, len(gated.content)) == (200, 10)


@pytest.mark.parametrize("name", ["QUOTE", "GRANT", "CHANNEL"])
def test_gateway_refuses_to_start_with_a_signing_key(name: str, tmp_path: Path) -> None:
    variables = {"APICHARGE_ROLE": "gateway", "APICHARGE_HOME": str(tmp_path)}
    variables[f"APICHARGE_{name}_KEY"] = SEED
    status, said = nursery.run("manage", "serve", "--port", "0", environment=variables, seconds=60)
    assert status != 0
    assert f"unset ['APICHARGE_{name}_KEY']" in said
    assert SEED not in said
