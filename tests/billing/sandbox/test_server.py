"""The sandbox over real HTTP, with an unmodified SDK on the other side."""

import secrets
import time
from collections.abc import Iterator

import httpx
import pytest
from stellar_sdk import Keypair, SorobanServer, scval
from stellar_sdk.contract import ContractClient
from stellar_sdk.exceptions import AccountNotFoundException
from stellar_sdk.soroban_rpc import GetTransactionStatus

from billing.sandbox import network
from tests.billing.sandbox.quoting import Quote
from tests.billing.sandbox.town import PAYEE, SIGNER, TREASURY, USDC_SAC
from tests.sandboxes import RunningSandbox, running_sandbox

MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    home = tmp_path_factory.mktemp("sandbox")
    with running_sandbox(home, signers=[SIGNER.raw_public_key()]) as running:
        for who in (PAYEE, TREASURY):
            running.fund(who.public_key, "USDC")
        yield running


def test_contract_client_buys_from_simulation_to_result(sandbox: RunningSandbox) -> None:
    """SDK's own high-level flow: simulate, the buyer authorizes, sign, submit, read the result."""
    server, buyer = Keypair.random(), Keypair.random()
    sandbox.fund(server.public_key)
    sandbox.fund(buyer.public_key, "USDC")
    quote = Quote(
        access_seconds=3600,
        amount=2_500_000,
        asset=USDC_SAC,
        expires_at=int(time.time()) + 600,
        fee=25_000,
        payee=PAYEE.public_key,
        terms=bytes(32),
        treasury=TREASURY.public_key,
    )
    digest = quote.digest(network.CONTRACT)
    arguments = [
        scval.to_address(buyer.public_key),
        quote.to_scval(),
        scval.to_bytes(SIGNER.raw_public_key()),
        scval.to_bytes(SIGNER.sign(digest)),
        scval.to_bytes(secrets.token_bytes(32)),
        scval.to_bytes(buyer.raw_public_key()),
    ]
    client = ContractClient(network.CONTRACT, sandbox.url, network.PASSPHRASE)
    purchase = client.invoke("purchase", arguments, source=server.public_key, signer=server)
    assert purchase.needs_non_invoker_signing_by() == {buyer.public_key}
    purchase.authorize(buyer.public_key, buyer)
    purchase.prepare()
    assert scval.from_bytes(purchase.sign_and_submit()) == digest


def test_public_account_is_unknown_until_funded(sandbox: RunningSandbox) -> None:
    somebody = Keypair.random().public_key
    rpc = SorobanServer(sandbox.url)
    with pytest.raises(AccountNotFoundException):
        rpc.load_account(somebody)
    sandbox.fund(somebody)
    assert rpc.load_account(somebody).sequence > 0


def test_network_names_its_friendbot(sandbox: RunningSandbox) -> None:
    url = SorobanServer(sandbox.url).get_network().friendbot_url
    assert url == f"{sandbox.url}/friendbot"
    told = httpx.get(url, params={"addr": Keypair.random().public_key}, timeout=40)
    assert told.status_code == 200
    found = SorobanServer(sandbox.url).get_transaction(told.json()["hash"])
    assert found.status == GetTransactionStatus.SUCCESS


@pytest.mark.parametrize("query", ["", "?addr=nonsense", f"?addr={PAYEE.public_key}&asset=GOLD"])
def test_friendbot_refuses_nonsense(sandbox: RunningSandbox, query: str) -> None:
    told = httpx.get(f"{sandbox.url}/friendbot{query}")
    assert told.status_code == 400
    assert told.json()["detail"]


def test_body_of_half_a_megabyte_is_the_limit(sandbox: RunningSandbox) -> None:
    assert httpx.post(sandbox.url, content=b" " * (512 * 1024)).json()["error"]["code"] == -32700
    with httpx.Client() as client:
        too_large = client.post(sandbox.url, content=b" " * (512 * 1024 + 1))
        assert too_large.status_code == 413


def test_pages_may_call_it_from_a_browser(sandbox: RunningSandbox) -> None:
    preflight = httpx.options(sandbox.url, headers={"Origin": "http://localhost:8000"})
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("POST", "/friendbot"), ("GET", "/x")])
def test_other_paths_are_not_found(sandbox: RunningSandbox, method: str, path: str) -> None:
    assert httpx.request(method, sandbox.url + path).status_code == 404


def test_ledgers_close_by_the_clock_without_anybody_asking(sandbox: RunningSandbox) -> None:
    rpc = SorobanServer(sandbox.url)
    first = rpc.get_latest_ledger().sequence
    deadline = time.monotonic() + 10
    while rpc.get_latest_ledger().sequence < first + 3:
        assert time.monotonic() < deadline
