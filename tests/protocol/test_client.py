"""The client package and its command against a running server."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from apicharge_client import ApiChargeAuth, Budget, Buyer, Key, Store

from tests.protocol.conftest import Market
from tests.waiting import until

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def buyer(market: Market, tmp_path: Path) -> Buyer:
    until(lambda: httpx.get(market.url("files/paid")).status_code == 402, seconds=20)
    key = Key(os.urandom(32))
    market.fund(key.address)
    budget = Budget.of("USDC:0.25")
    return Buyer(Store(tmp_path / "store"), key, budget, rpc_url=market.server.rpc_url)


def test_auth_buys_once_and_calls(market: Market, buyer: Buyer) -> None:
    with httpx.Client(auth=ApiChargeAuth(buyer)) as client:
        for _ in range(3):
            assert client.get(market.url("files/paid")).text == "hello"
    assert buyer.budget.spent == {"USDC": 2_500_000}
    (held,) = buyer.store.all()
    assert [grant.price for grant in held.grants] == ["0.25 USDC"]


async def test_async_auth_buys_once_and_calls(market: Market, buyer: Buyer) -> None:
    async with httpx.AsyncClient(auth=ApiChargeAuth(buyer)) as client:
        for path in ("files/paid", "files/free", "files/paid/below"):
            assert (await client.get(market.url(path))).status_code == 200
    assert buyer.budget.spent == {"USDC": 2_500_000}


@pytest.fixture
def apicharge(
    market: Market, buyer: Buyer, tmp_path: Path
) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    assert buyer.key is not None
    own = {"APICHARGE_KEY": buyer.key.secret, "APICHARGE_CLIENT_HOME": str(tmp_path / "command")}

    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "apicharge_client", *words]
        environment = {**os.environ, **own}
        return subprocess.run(
            command, capture_output=True, text=True, env=environment, check=False, timeout=60
        )

    return run


def test_command_buys_calls_and_lists(
    market: Market, apicharge: Callable[..., "subprocess.CompletedProcess[str]"]
) -> None:
    url = market.url("files/paid")
    quotes = apicharge("quotes", url, "--json")
    assert [quote["name"] for quote in json.loads(quotes.stdout)["quotes"]] == ["Pass"]
    bought = apicharge("buy", url, "--budget", "USDC:0.25", "--rpc", market.server.rpc_url)
    assert bought.stdout.startswith("Bought Pass for files/paid (0.25 USDC)"), bought.stderr
    called = apicharge("call", url)
    assert (called.returncode, called.stdout, called.stderr) == (0, "hello", "")
    token = apicharge("token", url, "--seconds", "30").stdout.strip()
    assert httpx.get(url, headers={"apicharge": token}).status_code == 200
    assert "usable" in apicharge("grants").stdout


def test_command_refuses_a_signer_that_is_not_the_stated_one(
    market: Market, apicharge: Callable[..., "subprocess.CompletedProcess[str]"]
) -> None:
    refused = apicharge(
        "buy", market.url("files/paid"), "--budget", "USDC:1", "--signer", "00" * 32
    )
    assert refused.returncode == 4
    assert "as stated" in refused.stderr
