"""Friendbot: new accounts, trustlines and test money for the asking.

It acts by ordinary transactions, with results and events like any other; only the trustline's
owner, whose key it does not have, need not sign.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from stellar_sdk import (
    Account,
    ChangeTrust,
    CreateAccount,
    Operation,
    Payment,
    StrKey,
    TransactionBuilder,
)

from billing.sandbox import envelopes, network
from billing.sandbox.node import Node

STARTING_LUMENS = "10000"
ASSET_UNITS = "1000"
WAITING_MAX = 500
PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Refused:
    status: int
    detail: str


@dataclass(frozen=True, slots=True)
class Funded:
    hash: bytes


class Friendbot:
    def __init__(self, node: Node, *, close_now: Callable[[], None] | None = None) -> None:
        """`close_now` where ledgers do not close by themselves."""
        self.node = node
        self.closed = asyncio.Event()
        self.close_now = close_now

    async def fund(self, account: str, asset: str | None) -> Funded | Refused:
        """Until it is in a ledger. It fails when somebody asked for the same account at the same
        moment; then what is still missing is tried again."""
        while True:
            begun = self.begin(account, asset)
            if isinstance(begun, Refused) or await self._finished(begun) == "SUCCESS":
                return begun

    def begin(self, account: str, asset: str | None) -> Funded | Refused:
        """Queue what `account` needs; the answer is final once its transaction is in a ledger."""
        if not StrKey.is_valid_ed25519_public_key(account):
            return Refused(400, "addr must be an account: G…")
        if asset is not None and asset not in network.ASSETS:
            return Refused(400, f"asset must be one of {', '.join(sorted(network.ASSETS))}")
        if self.node.queue.count_of_source(network.FRIENDBOT.public_key) >= WAITING_MAX:
            return Refused(503, "friendbot is busy")
        wanted = self._operations(account, asset)
        if not wanted:
            return Refused(400, "account already funded to starting balance")
        return Funded(self._queue(wanted))

    async def _finished(self, funded: Funded) -> str:
        """`SUCCESS` or `FAILED` once its ledger has closed."""
        while True:
            body = self.node.storage.applied(funded.hash)
            if body is not None:
                return str(body["status"])
            if self.close_now is None:
                await self.closed.wait()
            else:
                self.close_now()

    def wake(self) -> None:
        """A ledger has closed: whoever waits for one looks again, later ones wait for the next."""
        self.closed.set()
        self.closed = asyncio.Event()

    def _operations(self, account: str, asset: str | None) -> list[Operation]:
        view = self.node.view()
        wanted: list[Operation] = []
        if view.account(account) is None:
            wanted.append(CreateAccount(account, STARTING_LUMENS))
        if asset is not None:
            given = network.ASSETS[asset]
            if account != given.issuer and view.trustline(account, given) is None:
                wanted.append(ChangeTrust(given, source=account))
            wanted.append(Payment(account, given, ASSET_UNITS, source=given.issuer))
        return wanted

    def _queue(self, wanted: list[Operation]) -> bytes:
        bot = network.FRIENDBOT
        entry = self.node.view().account(bot.public_key)
        assert entry is not None
        ahead = self.node.queue.count_of_source(bot.public_key)
        sequence = entry.seq_num.sequence_number.int64 + ahead
        builder = TransactionBuilder(
            Account(bot.public_key, sequence), network.PASSPHRASE, network.BASE_FEE_STROOPS
        )
        for operation in wanted:
            builder.append_operation(operation)
        built = builder.add_time_bounds(0, 0).build()
        built.sign(bot)
        envelope = envelopes.read(built.to_xdr_object().to_xdr_bytes())
        self.node.submit_after_own(envelope)
        return envelope.hash
