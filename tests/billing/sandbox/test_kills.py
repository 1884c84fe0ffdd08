"""`kill -9` at any moment: no acknowledged transaction is lost, none happens twice."""

import contextlib
import random
import threading
import time
from pathlib import Path

import pytest
from stellar_sdk import (
    Account,
    Asset,
    Keypair,
    Payment,
    SorobanServer,
    TransactionBuilder,
    scval,
)
from stellar_sdk.client.requests_client import RequestsClient
from stellar_sdk.exceptions import ConnectionError as SdkConnectionError
from stellar_sdk.soroban_rpc import EventFilter, GetTransactionStatus, SendTransactionStatus

from billing.sandbox import network
from tests.sandboxes import RunningSandbox, start_sandbox
from tests.waiting import until

STROOPS = 10_000_000
SENDERS = 4
ANSWERS_WITHIN_S = 20.0


class Sender:
    """Pays one lumen again and again, and remembers what was acknowledged."""

    def __init__(self, keypair: Keypair, to: str) -> None:
        self.keypair = keypair
        self.to = to
        self.acknowledged: list[str] = []

    def send_until_killed(self, url: str) -> None:
        rpc = SorobanServer(url, RequestsClient(num_retries=0))
        with contextlib.suppress(SdkConnectionError):
            while True:
                self._send(rpc)

    def _send(self, rpc: SorobanServer) -> None:
        account = rpc.load_account(self.keypair.public_key)
        builder = TransactionBuilder(account, network.PASSPHRASE, 100)
        builder.append_operation(Payment(self.to, Asset.native(), "1"))
        te = builder.add_time_bounds(0, 0).build()
        te.sign(self.keypair)
        answer = rpc.send_transaction(te)
        if answer.status == SendTransactionStatus.PENDING:
            self.acknowledged.append(answer.hash)


def lumens(rpc: SorobanServer, account: str) -> int:
    builder = TransactionBuilder(Account(account, 0), network.PASSPHRASE, 100)
    builder.append_invoke_contract_function_op(
        network.NATIVE_CONTRACT, "balance", [scval.to_address(account)]
    )
    simulated = rpc.simulate_transaction(builder.add_time_bounds(0, 0).build())
    assert simulated.results, simulated.error
    return scval.from_int128(simulated.results[0].xdr)


def payments(rpc: SorobanServer, to: str) -> list[str]:
    """Every payment that history tells of, by the hash of its transaction."""
    topics = [scval.to_symbol("transfer").to_xdr(), "*", scval.to_address(to).to_xdr(), "*"]
    wanted = [EventFilter(contract_ids=[network.NATIVE_CONTRACT], topics=[topics])]
    page = rpc.get_events(start_ledger=2, filters=wanted, limit=1000)
    found = []
    while page.events:
        found += [event.transaction_hash for event in page.events]
        page = rpc.get_events(cursor=page.cursor, filters=wanted, limit=1000)
    return found


def acknowledged_by(senders: list[Sender]) -> int:
    return sum(len(one.acknowledged) for one in senders)


def kill_while_sending(sandbox: RunningSandbox, senders: list[Sender], after_s: float) -> None:
    before = acknowledged_by(senders)
    threads = [
        threading.Thread(target=one.send_until_killed, args=[sandbox.url]) for one in senders
    ]
    for thread in threads:
        thread.start()
    time.sleep(after_s)  # The moment of the kill is the random variable here.
    until(lambda: acknowledged_by(senders) > before, seconds=ANSWERS_WITHIN_S)
    sandbox.kill()
    for thread in threads:
        thread.join(ANSWERS_WITHIN_S)
        assert not thread.is_alive()


def all_found(rpc: SorobanServer, hashes: set[str]) -> bool:
    statuses = {rpc.get_transaction(digest).status for digest in hashes}
    assert GetTransactionStatus.FAILED not in statuses
    return GetTransactionStatus.NOT_FOUND not in statuses


def survive(home: Path, *, kills: int, seed: int) -> int:
    """Returns how many transactions were acknowledged; all of them must be found again."""
    moments = random.Random(seed)
    payee = Keypair.random().public_key
    senders = [Sender(Keypair.random(), payee) for _ in range(SENDERS)]
    sandbox = start_sandbox(home, close_ms=20)
    for account in [payee, *(one.keypair.public_key for one in senders)]:
        sandbox.fund(account)
    for _ in range(kills):
        kill_while_sending(sandbox, senders, moments.uniform(0.02, 0.3))
        sandbox = start_sandbox(home, close_ms=20)
    rpc = SorobanServer(sandbox.url)
    acknowledged = {digest for one in senders for digest in one.acknowledged}
    until(lambda: all_found(rpc, acknowledged), seconds=ANSWERS_WITHIN_S)
    paid = payments(rpc, payee)[1:]  # The first is friendbot's.
    assert len(paid) == len(set(paid))
    assert acknowledged <= set(paid)
    # What was applied without an answer is at most one transaction a sender and kill.
    assert len(paid) - len(acknowledged) <= kills * SENDERS
    assert lumens(rpc, payee) == (10_000 + len(paid)) * STROOPS
    sandbox.stop()
    return len(acknowledged)


def test_nothing_acknowledged_is_lost_or_doubled(tmp_path: Path) -> None:
    assert survive(tmp_path, kills=4, seed=20261121) >= 4


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_nothing_acknowledged_is_lost_or_doubled_in_a_hundred_kills(tmp_path: Path) -> None:
    assert survive(tmp_path, kills=100, seed=7) >= 100
