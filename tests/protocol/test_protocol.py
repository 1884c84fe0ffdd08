"""The protocol against a running server, by a buyer who has read only its text.

Every situation of the protocol's section 4 is met once, over real sockets.
"""

import ast
import base64
import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from nacl.signing import SigningKey

from tests.protocol import buyer_from_protocol
from tests.protocol.buyer_from_protocol import Answer, account, b64url, http
from tests.protocol.conftest import Market
from tests.waiting import until

pytestmark = pytest.mark.timeout(180)
GATE_SECONDS = 20.0


@pytest.fixture(scope="module", autouse=True)
def _gated(market: Market) -> None:
    """Changes of the catalogue reach the gate within a second."""
    for path in ("files/paid", "dead/all", "slow/all"):
        until(lambda path=path: http("GET", market.url(path)).status == 402, seconds=GATE_SECONDS)


def get(market: Market, path: str, token: str = "", method: str = "GET") -> Answer:
    headers = {"apicharge": token} if token else {}
    return http(method, market.url(path), **headers)


def error(answer: Answer) -> str:
    scheme, _, parameters = answer.headers["www-authenticate"].partition(" ")
    assert scheme == "ApiCharge"
    return parameters


def problem(answer: Answer) -> str:
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json
    assert document["status"] == answer.status
    return str(document["type"]).rpartition("/")[2]


def test_script_knows_nothing_of_this_repository() -> None:
    tree = ast.parse(Path(buyer_from_protocol.__file__).read_text())
    modules = {
        (node.module if isinstance(node, ast.ImportFrom) else node.names[0].name).split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert modules <= {*sys.stdlib_module_names, "nacl"}


def test_script_buys_calls_reads_what_is_left_and_revokes(market: Market, tmp_path: Path) -> None:
    seed = b"\x41" * 32
    market.fund(account(bytes(SigningKey(seed).verify_key)))
    (tmp_path / "seed").write_text(seed.hex())
    words = [market.url("files/paid"), "--gateway", market.origin, "--rpc", market.server.rpc_url]
    ended = subprocess.run(
        [sys.executable, buyer_from_protocol.__file__, *words, "--seed-file", tmp_path / "seed"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    lines = ended.stdout.splitlines()
    assert lines[0] == "bare call: 402, route files/paid"
    assert lines[1] == "quote Pass: 2500000 USDC"
    assert lines[2].startswith("purchase granted, transaction ")
    assert lines[3].startswith("call: 200, 5 bytes, ")
    assert json.loads(lines[4].partition(", ")[2])[0]["left"] == 99
    assert lines[5:] == ["revoke: 200", "call after that: 401"]


def test_no_credential_is_402_with_the_way_to_pay(market: Market) -> None:
    answer = get(market, "files/free")
    assert (answer.status, problem(answer)) == (402, "payment-required")
    assert answer.headers["cache-control"] == "no-store"
    assert "/apicharge/v1/quotes" in answer.headers["link"]
    assert {"route", "quotes", "purchase", "guidance"} <= answer.json.keys()


def test_valid_token_is_200_with_what_is_left(market: Market) -> None:
    answer = get(market, "files/free", market.token("files/free"))
    assert (answer.status, answer.body) == (200, b"hello")
    for name in ("ratelimit", "ratelimit-policy", "apicharge-expires"):
        assert answer.headers[name]
    assert answer.headers["vary"].lower() == "apicharge, authorization, cookie"
    assert "private" in answer.headers["cache-control"]


@pytest.mark.parametrize("form", ["apicharge", "ApiCharge", "Bearer", "cookie", "sep53"])
def test_token_is_taken_in_every_form(market: Market, form: str) -> None:
    buyer, _, purchase = market.bought("files/free")
    granted = str(purchase["granted_access_token"])
    token = buyer.token(granted)
    if form == "sep53":
        digest = hashlib.sha256(granted.encode()).hexdigest()
        claims = {"exp": int(time.time()) + 60, "grant": digest}
        token = f"{granted}~{buyer.jws(claims, 'apicharge-access-sep53+jwt')}"
    headers = {
        "apicharge": {"apicharge": token},
        "sep53": {"apicharge": token},
        "ApiCharge": {"Authorization": f"ApiCharge {token}"},
        "Bearer": {"Authorization": f"Bearer {token}"},
        "cookie": {"Cookie": f"apicharge={token}"},
    }[form]
    assert http("GET", market.url("files/free"), **headers).status == 200


def test_used_up_quota_is_402(market: Market) -> None:
    token = market.token("files/two")
    answers = [get(market, "files/two", token) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 402]
    assert problem(answers[2]) == "quota-exhausted"


def test_ended_grant_is_402(market: Market) -> None:
    token = market.token("files/brief")
    until(lambda: get(market, "files/brief", token).status == 402, seconds=10)
    assert problem(get(market, "files/brief", token)) == "grant-expired"


def forged(market: Market, **claims: object) -> str:
    """Signed by the gateway's own key, and still not for here."""
    buyer, _, purchase = market.bought("files/free")
    header, body, _ = str(purchase["granted_access_token"]).split(".")
    raw = json.loads(b64decode(body)) | claims
    text = f"{header}.{b64url(json.dumps(raw).encode())}"
    seed = bytes.fromhex((market.server.home / "keys" / "grant").read_text().strip())
    return buyer.token(f"{text}.{b64url(SigningKey(seed).sign(text.encode()).signature)}")


def b64decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_malformed_token_is_401(market: Market) -> None:
    answer = get(market, "files/free", "not.a.token")
    assert (answer.status, error(answer)) == (401, 'error="malformed"')


def test_token_signed_by_another_key_is_401(market: Market) -> None:
    _, _, purchase = market.bought("files/free")
    stranger = market.buyer()
    answer = get(market, "files/free", stranger.token(purchase["granted_access_token"]))
    assert (answer.status, error(answer)) == (401, 'error="bad_signature"')


def test_token_of_an_unknown_issuer_key_is_401(market: Market) -> None:
    token = market.token("files/free")
    header = b64url(b'{"alg":"EdDSA","typ":"apicharge-grant+jwt","kid":"nobody"}')
    answer = get(market, "files/free", f"{header}.{token.partition('.')[2]}")
    assert (answer.status, error(answer)) == (401, 'error="unknown_key"')


def test_token_for_another_gateway_is_401(market: Market) -> None:
    token = forged(market, iss="https://b.example", aud="https://b.example")
    answer = get(market, "files/free", token)
    assert (answer.status, error(answer)) == (401, 'error="wrong_audience"')


def test_token_without_its_ledger_is_401(market: Market) -> None:
    answer = get(market, "files/free", forged(market, jti="00" * 32))
    assert answer.status == 401
    assert "ApiCharge" in answer.headers["www-authenticate"]


def test_expired_client_token_is_401_to_derive_anew(market: Market) -> None:
    answer = get(market, "files/free", market.token("files/free", seconds=-1))
    assert (answer.status, error(answer)) == (401, 'error="token_expired"')
    assert answer.headers["date"]


def test_client_token_of_the_future_is_401(market: Market) -> None:
    token = market.token("files/free", nbf=int(time.time()) + 30)
    answer = get(market, "files/free", token)
    assert answer.status == 401
    assert error(answer).startswith('error="token_')


def test_revoked_grant_is_401_within_a_second(market: Market) -> None:
    buyer, gateway, purchase = market.bought("files/free")
    granted = purchase["granted_access_token"]
    assert get(market, "files/free", buyer.token(granted)).status == 200
    url = gateway.api(f"grants/{purchase['id']}/revoke")
    manage = buyer.token(granted, seconds=30, act="manage")
    assert http("POST", url, {}, apicharge=manage).status == 200
    until(lambda: get(market, "files/free", buyer.token(granted)).status == 401, seconds=3)
    assert error(get(market, "files/free", buyer.token(granted))) == 'error="revoked"'


def test_one_revoked_token_leaves_the_others(market: Market) -> None:
    buyer, gateway, purchase = market.bought("files/free")
    granted = purchase["granted_access_token"]
    lost, kept = buyer.token(granted, jti="lost"), buyer.token(granted, jti="kept")
    manage = buyer.token(granted, seconds=30, act="manage")
    url = gateway.api(f"grants/{purchase['id']}/revoke")
    assert http("POST", url, {"token": "lost"}, apicharge=manage).status == 200
    until(lambda: get(market, "files/free", lost).status == 401, seconds=3)
    assert get(market, "files/free", kept).status == 200


@pytest.mark.parametrize(
    ("claims", "path"),
    [
        ({}, "files/two"),
        ({"methods": ["POST"]}, "files/free"),
        ({"path": "/free/below"}, "files/free"),
        ({"act": "manage", "seconds": 30}, "files/free"),
    ],
)
def test_token_for_something_else_is_403(
    market: Market, claims: dict[str, object], path: str
) -> None:
    answer = get(market, path, market.token("files/free", **claims))
    assert (answer.status, problem(answer)) == (403, "out-of-scope")


def test_renewing_quota_is_429_with_its_time(market: Market) -> None:
    token = market.token("files/window")
    assert get(market, "files/window", token).status == 200
    answer = get(market, "files/window", token)
    assert (answer.status, problem(answer)) == (429, "window-exhausted")
    assert 0 < int(answer.headers["retry-after"]) <= 600


def test_no_such_route_is_404(market: Market) -> None:
    assert get(market, "files/nowhere").status == 404
    assert get(market, "nowhere/at/all").status == 404


@pytest.mark.parametrize("path", ["files/free%2fx", "files/free%5cx", "files/%2e%2e/free"])
def test_ambiguous_path_is_400_and_not_sent(market: Market, path: str) -> None:
    token, before = market.token("files/free"), len(market.asked)
    assert get(market, path, token).status == 400
    assert len(market.asked) == before


def test_unreachable_upstream_is_502_and_costs_nothing(market: Market) -> None:
    buyer, _, purchase = market.bought("dead/all")
    token = buyer.token(purchase["granted_access_token"])
    assert get(market, "dead/all", token).status == 502
    assert calls_left(market, purchase["id"], token) == 100


def test_slow_upstream_is_504_and_costs_nothing(market: Market) -> None:
    buyer, _, purchase = market.bought("slow/all")
    token = buyer.token(purchase["granted_access_token"])
    assert get(market, "slow/all", token).status == 504
    assert calls_left(market, purchase["id"], token) == 100


def calls_left(market: Market, grant_id: object, token: str) -> int:
    answer = http("GET", f"{market.origin}/apicharge/v1/grants/{grant_id}", apicharge=token)
    assert answer.status == 200, answer
    return int(answer.json["limits"][0]["left"])


@pytest.fixture
def busy_database(market: Market) -> Iterator[None]:
    connection = sqlite3.connect(market.server.home / "apicharge.sqlite3", isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.rollback()
        connection.close()


def test_unavailable_ledger_is_503_and_costs_nothing(
    market: Market, request: pytest.FixtureRequest
) -> None:
    token, before = market.token("files/free"), len(market.asked)
    request.getfixturevalue("busy_database")
    answer = get(market, "files/free", token)
    assert (answer.status, problem(answer)) == (503, "ledger-unavailable")
    assert int(answer.headers["retry-after"]) >= 1
    assert len(market.asked) == before


def test_preflight_is_answered_free_by_the_gate(market: Market) -> None:
    before = len(market.asked)
    headers = {"Origin": "https://page.example", "Access-Control-Request-Method": "POST"}
    answer = http("OPTIONS", market.url("files/free"), **headers)
    assert answer.status in {200, 204}
    assert answer.headers["access-control-allow-origin"]
    assert len(market.asked) == before
