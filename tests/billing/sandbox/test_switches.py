"""The switches over HTTP, and a clock that only steps."""

from collections.abc import Iterator

import httpx
import pytest
from stellar_sdk import Keypair, SorobanServer

from billing.sandbox.faults import Fault
from tests.sandboxes import RunningSandbox, running_sandbox


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    home = tmp_path_factory.mktemp("sandbox")
    with running_sandbox(home, "--stepped", "--fault", "surge:2") as running:
        yield running


@pytest.fixture
def http(sandbox: RunningSandbox) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=sandbox.url) as client:
        yield client
        client.delete("/faults")


def on(http: httpx.Client) -> dict[str, int | None]:
    shown = http.get("/faults").json()["faults"]
    assert {one["name"] for one in shown} == set(Fault)
    return {one["name"]: one.get("times") for one in shown if one["on"]}


def test_fault_of_the_command_line_is_on(http: httpx.Client) -> None:
    assert on(http) == {"surge": 2}


def test_faults_are_switched_on_and_off(http: httpx.Client) -> None:
    http.delete("/faults")
    assert http.put("/faults/stale").status_code == 200
    assert http.put("/faults/dropped", json={"times": 3}).status_code == 200
    assert on(http) == {"stale": None, "dropped": 3}
    http.delete("/faults/stale")
    assert on(http) == {"dropped": 3}


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/faults/rain", b"", 400),
        ("PUT", "/faults/stale", b"3", 400),
        ("PUT", "/faults/stale", b"{", 400),
        ("PUT", "/faults/stale", b'{"times": 0}', 400),
        ("PUT", "/faults/stale", b'{"times": true}', 400),
        ("POST", "/ledgers", b'{"count": 100000}', 400),
        ("POST", "/faults", b"", 405),
        ("GET", "/ledgers", b"", 405),
    ],
)
def test_nonsense_is_refused(
    http: httpx.Client, method: str, path: str, body: bytes, status: int
) -> None:
    said = http.request(method, path, content=body)
    assert (said.status_code, said.json()["status"]) == (status, status)
    assert "stale" not in on(http)


def test_pages_of_a_browser_may_not_switch_anything(http: httpx.Client) -> None:
    allowed = http.options("/faults/stale").headers["access-control-allow-methods"]
    assert "PUT" not in allowed
    assert "DELETE" not in allowed


def test_request_is_answered_504_before_or_after_it_was_done(http: httpx.Client) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": "getLatestLedger"}
    for fault in (Fault.TIMEOUT, Fault.ANSWER_LOST):
        http.put(f"/faults/{fault}", json={"times": 1})
        assert [http.post("/", json=body).status_code for _ in range(2)] == [504, 200]


def test_ledgers_close_and_time_passes_when_somebody_says_so(
    http: httpx.Client, sandbox: RunningSandbox
) -> None:
    rpc = SorobanServer(sandbox.url)
    first = http.post("/ledgers").json()
    assert rpc.get_latest_ledger().sequence == first["ledger"]
    later = http.post("/ledgers", json={"count": 3, "seconds": 10}).json()
    assert later["ledger"] == first["ledger"] + 3
    assert later["closedAt"] == first["closedAt"] + 30
    assert rpc.get_latest_ledger().sequence == later["ledger"]


def test_friendbot_closes_the_ledger_that_it_needs(sandbox: RunningSandbox) -> None:
    somebody = Keypair.random().public_key
    sandbox.fund(somebody, "USDC")
    assert SorobanServer(sandbox.url).load_account(somebody).sequence > 0


def test_while_closes_are_slow_four_of_five_are_left_out(http: httpx.Client) -> None:
    first = http.post("/ledgers").json()["ledger"]
    http.put("/faults/slow-close")
    assert http.post("/ledgers", json={"count": 10}).json()["ledger"] == first + 2
