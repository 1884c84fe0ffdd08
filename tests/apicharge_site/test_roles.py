"""What each role mounts, and what it refuses to hold."""

import contextlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
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


def test_gateway_serves_gated_routes_without_keys_and_nothing_else(
    site: Site, tmp_path: Path
) -> None:
    token = site.token()
    with another(site, "gateway", tmp_path, *SERVE) as origin:
        gated = httpx.get(f"{origin}/gate/files/files/10.bin", headers={"apicharge": token})
        assert (gated.status_code, len(gated.content)) == (200, 10)
        assert httpx.get(f"{origin}/gate/files/files/10.bin").status_code == 402
        for path in ("/", "/admin/", "/apicharge/v1/quotes", "/static/css/site.css"):
            assert httpx.get(f"{origin}{path}").status_code == 404, path
    assert not {path.name for path in (tmp_path / "keys").glob("*")} & {"quote", "grant", "channel"}


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


def test_gateway_exchanges_a_code_for_the_cookie_of_a_route(site: Site, tmp_path: Path) -> None:
    token, code = site.token(), "c" * 43
    with another(site, "gateway", tmp_path, *SERVE) as origin, httpx.Client() as browser:
        address = f"{origin}/gate/files/.apicharge/exchange?code={code}"
        assert browser.get(address).status_code == 410
        site.server.python(HANDED_OVER.format(code=code, origin=origin, token=token))
        assert browser.head(address).status_code == 405
        shown = browser.get(address, follow_redirects=True)
        assert (shown.status_code, len(shown.content)) == (200, 10)
        assert browser.get(address).status_code == 410


def test_gateway_tells_its_figures_to_who_has_the_token_and_writes_usage(
    site: Site, tmp_path: Path
) -> None:
    token = site.token()
    with another(site, "gateway", tmp_path, *SERVE) as origin:
        for headers in ({"apicharge": token}, {}):
            httpx.get(f"{origin}/gate/files/files/10.bin", headers=headers)
        assert httpx.get(f"{origin}/metrics").status_code == 401
        shown = {"authorization": f"Bearer {METRICS_TOKEN}"}

        def scraped() -> list[str]:
            return httpx.get(f"{origin}/metrics", headers=shown).text.splitlines()

        until(lambda: "apicharge_calls_total 1.0" in scraped(), seconds=30)
        assert 'apicharge_refused_total{problem="payment-required"} 1.0' in scraped()
        until(lambda: "apicharge_usage_lines_written_total 2.0" in scraped(), seconds=30)
    with contextlib.closing(sqlite3.connect(site.server.home / "apicharge.sqlite3")) as database:
        newest = "SELECT grant_id FROM gateway_grantledger ORDER BY created_at DESC LIMIT 1"
        grant = database.execute(newest).fetchone()
        own = "grant = ?"
        for question, answered in (
            (f"SELECT calls, bytes_down FROM gateway_usageminute WHERE {own}", (1, 10)),
            (f"SELECT path, status FROM gateway_recentcall WHERE {own}", ("/files/10.bin", 200)),
        ):
            assert database.execute(question, grant).fetchall() == [answered]
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
