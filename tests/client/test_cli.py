import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from apicharge_client import Key
from apicharge_client.cli import main

from tests.client.conftest import BUYER_SEED
from tests.client.gateways import FakeGateway
from tests.client.instructions import signed_quote

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def apicharge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Run:
    monkeypatch.setenv("APICHARGE_CLIENT_HOME", str(tmp_path / "store"))
    monkeypatch.setenv("APICHARGE_KEY", Key(BUYER_SEED).secret)

    def run(*words: str) -> tuple[int, str, str]:
        code = main(words)
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        return code, out.decode(), err.decode()

    return run


def test_quotes_of_a_gateway_are_listed(apicharge: Run, gateway: FakeGateway) -> None:
    code, out, _ = apicharge("quotes", gateway.origin)
    assert code == 0
    assert "weather/forecast  Hour pass: 0.25 USDC for 3600 s" in out


def test_quotes_of_an_address_are_those_of_its_route(apicharge: Run, gateway: FakeGateway) -> None:
    gateway.quotes.append(signed_quote(route="weather/other"))
    code, out, _ = apicharge("quotes", gateway.url, "--json")
    document = json.loads(out)
    assert code == 0
    assert [quote["route"] for quote in document["quotes"]] == ["weather/forecast"]


def test_bought_by_address_and_called(apicharge: Run, gateway: FakeGateway) -> None:
    code, out, _ = apicharge("buy", gateway.url, "--budget", "USDC:1")
    assert (code, out.splitlines()[0]) == (
        0,
        "Bought Hour pass for weather/forecast (0.25 USDC)",
    )
    assert apicharge("call", gateway.url) == (
        0,
        '{"weather": "fine", "path": "/gate/weather/forecast"}',
        "",
    )
    assert gateway.signed == 1


def test_bought_by_route_and_name(apicharge: Run, gateway: FakeGateway) -> None:
    gateway.quotes.append(signed_quote(name="Cheap", amount=1, fee=0))
    words = ["buy", "weather/forecast", "--gateway", gateway.origin, "--name", "Hour pass"]
    code, out, _ = apicharge(*words, "--budget", "USDC:1", "--json")
    assert code == 0
    bought = json.loads(out)
    assert (bought["name"], bought["bought"], bought["origin"]) == (
        "Hour pass",
        True,
        gateway.origin,
    )


def test_route_without_gateway_says_what_to_do(apicharge: Run) -> None:
    code, _, err = apicharge("buy", "weather/forecast")
    assert code == 8
    assert "Add --gateway" in err


def test_second_purchase_needs_again(apicharge: Run, gateway: FakeGateway) -> None:
    apicharge("buy", gateway.url, "--budget", "USDC:1")
    told = apicharge("buy", gateway.url)[1]
    assert told.startswith("Already held: Hour pass")
    assert told.endswith("--again\n")
    assert apicharge("buy", gateway.url, "--again", "--budget", "USDC:1")[0] == 0
    assert gateway.signed == 2


def test_buying_without_a_budget_costs_nothing(apicharge: Run, gateway: FakeGateway) -> None:
    code, _, err = apicharge("buy", gateway.url)
    assert code == 5
    assert "No offer is within the budget (Hour pass: 0.25 USDC)" in err
    assert gateway.purchases == {}


def test_call_buys_within_its_budget(apicharge: Run, gateway: FakeGateway, tmp_path: Path) -> None:
    file = tmp_path / "answer"
    (tmp_path / "body").write_bytes(b"\x00\xff")
    words = ["call", gateway.url, "-X", "PUT", "-d", f"@{tmp_path / 'body'}", "-o", str(file)]
    assert apicharge(*words, "-H", "X-Kind: test", "--budget", "USDC:1")[0] == 0
    assert json.loads(file.read_text())["weather"] == "fine"
    assert [call[:2] + call[3:] for call in gateway.calls] == [
        ("PUT", "/gate/weather/forecast", b"\x00\xff")
    ] * 2
    assert gateway.headers[-1]["x-kind"] == "test"


def test_call_without_grant_or_budget_fails_as_curl_does(
    apicharge: Run, gateway: FakeGateway
) -> None:
    code, out, err = apicharge("call", gateway.url)
    assert code == 22
    assert json.loads(out)["status"] == 402
    assert "answered 402" in err
    assert "--budget" in err


def test_address_that_is_not_for_sale_is_said(apicharge: Run, gateway: FakeGateway) -> None:
    code, _, err = apicharge("buy", f"{gateway.origin}/free", "--budget", "USDC:1")
    assert code == 8
    assert "answered 404, not 402" in err


@pytest.mark.parametrize("url", ["ftp://x/y", "http://", "http://x:99999/", "http://[::1", "://"])
@pytest.mark.parametrize("command", ["quotes", "buy", "call", "token"])
def test_address_that_is_none_is_said(apicharge: Run, command: str, url: str) -> None:
    code, _, err = apicharge(command, url)
    assert code == 8
    assert "is not an http(s) address" in err


def test_name_of_an_offer_does_not_move_the_cursor(apicharge: Run, gateway: FakeGateway) -> None:
    gateway.quotes = [signed_quote(name="Pass\x1b[2J\nFree")]
    assert "Pass?[2J?Free: 0.25 USDC" in apicharge("quotes", gateway.origin)[1]


def test_nobody_listening_is_said(apicharge: Run) -> None:
    code, _, err = apicharge("quotes", "http://127.0.0.1:1")
    assert code == 10
    assert "No answer from 127.0.0.1:1" in err


def test_other_signer_than_stated_is_refused(apicharge: Run, gateway: FakeGateway) -> None:
    code, _, err = apicharge("quotes", gateway.origin, "--signer", "00" * 32)
    assert code == 4
    assert "as stated" in err


def test_lie_of_the_gateway_is_refused(apicharge: Run, gateway: FakeGateway) -> None:
    gateway.tamper = lambda document: {**document, "authorization_to_sign": "00" * 32}
    code, _, err = apicharge("buy", gateway.url, "--budget", "USDC:1")
    assert code == 4
    assert err.startswith("apicharge: Refused to sign: ")
    assert gateway.signed == 0


def test_errors_are_json_where_json_is_asked_for(apicharge: Run, gateway: FakeGateway) -> None:
    code, out, err = apicharge("buy", gateway.url, "--json")
    document = json.loads(err)
    assert (code, out, document["exit_code"]) == (5, "", 5)
    assert document["hint"].startswith("State a budget")


def test_grants_are_listed_without_their_secrets(apicharge: Run, gateway: FakeGateway) -> None:
    assert "No grants" in apicharge("grants")[1]
    apicharge("buy", gateway.url, "--budget", "USDC:1")
    _, plain, _ = apicharge("grants")
    _, as_json, _ = apicharge("grants", "--json")
    assert plain.startswith(f"usable  {gateway.origin}  weather/forecast  Hour pass (0.25 USDC)")
    assert json.loads(as_json)["grants"][0]["usable"] is True
    assert "eyJ" not in plain + as_json


def test_grants_say_what_is_left_of_them(apicharge: Run, gateway: FakeGateway) -> None:
    apicharge("buy", gateway.url, "--budget", "USDC:1")
    apicharge("call", gateway.url)
    _, plain, _ = apicharge("grants")
    assert plain.splitlines()[2:] == ["        2 of 3 calls left"]
    listed = json.loads(apicharge("grants", "--json")[1])["grants"]
    assert listed[0]["limits"][0]["left"] == 2


def test_grants_are_listed_though_their_gateway_is_away(
    apicharge: Run, gateway: FakeGateway
) -> None:
    apicharge("buy", gateway.url, "--budget", "USDC:1")
    gateway.drop_answer_to = "/grants/"
    code, plain, _ = apicharge("grants")
    assert code == 0
    assert "usable" in plain
    assert "what is left is not known" in plain
    gateway.drop_answer_to = "/grants/"
    assert "left" not in apicharge("grants", "--offline")[1]
    assert gateway.drop_answer_to
    assert json.loads(apicharge("grants", "--json")[1])["grants"][0]["limits"] is None


def test_token_is_derived_in_its_scope(apicharge: Run, gateway: FakeGateway) -> None:
    apicharge("buy", gateway.url, "--budget", "USDC:1")
    words = ["token", gateway.url, "--seconds", "30", "--method", "get", "--path", "/now"]
    code, out, _ = apicharge(*words)
    assert code == 0
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+~[\w-]+\.[\w-]+\.[\w-]+\n", out)
    assert apicharge("token", gateway.url, "--manage", "--json")[0] == 0


def test_token_without_grant_says_what_to_do(apicharge: Run, gateway: FakeGateway) -> None:
    code, _, err = apicharge("token", gateway.url)
    assert code == 5
    assert f"apicharge buy {gateway.url}" in err


def test_key_is_made_once_for_its_owner_alone(apicharge: Run, tmp_path: Path) -> None:
    file = tmp_path / "key"
    code, out, _ = apicharge("keygen", str(file))
    assert code == 0
    assert out.startswith("G")
    assert file.stat().st_mode & 0o777 == 0o600
    assert apicharge("keygen", str(file))[0] == 3
    assert file.read_text().strip() not in out


def test_missing_key_says_how_to_make_one(
    apicharge: Run, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("APICHARGE_KEY")
    code, _, err = apicharge("buy", gateway.url, "--budget", "USDC:1")
    assert code == 3
    assert "apicharge keygen FILE" in err


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["sell"],
        ["buy"],
        ["buy", "u", "--budget", "USDC"],
        ["buy", "u", "--budget", "USDC:-1"],
        ["buy", "u", "--key", "S"],
        ["call", "u", "--name", "x"],
    ],
)
def test_wrong_usage_exits_with_2(apicharge: Run, words: list[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        apicharge(*words)
    assert raised.value.code == 2


def test_command_runs_as_a_module() -> None:
    words = [sys.executable, "-m", "apicharge_client", "--help"]
    ended = subprocess.run(words, capture_output=True, text=True, check=True, timeout=30)
    for command in ("quotes", "buy", "call", "grants", "token", "keygen"):
        assert command in ended.stdout
