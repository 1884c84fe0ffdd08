"""Our own account for what is neither a purchase nor a channel's: funding, founding, deploying.

Its key is derived from the channel key. It holds lumens for fees and reserves, and nothing else; no
purchase waits for it, so what it sends may simply be tried again.
"""

import threading
import time
from collections.abc import Callable, Sequence

from stellar_sdk import Account, Asset, CreateAccount, Payment, TransactionBuilder, xdr
from stellar_sdk.soroban_rpc import GetTransactionStatus, SendTransactionStatus

from billing.domain.errors import NetworkUnavailable
from billing.rails.stellar import envelopes, holdings, results
from billing.rails.stellar.fees import Fees
from billing.rails.stellar.rpc import Rpc, account_key
from marketplace.domain.chains import Chain

GIVEN_STROOPS = 100_000_000  # Fees for some hundred purchases, and the reserve.
KEPT_STROOPS = 20_000_000  # For the operator's own reserve and fees.
VALID_FOR_S = 60
LOOK_S = 0.25
LUMEN = 10_000_000

Fill = Callable[[TransactionBuilder], object]


class OperatorFailed(NetworkUnavailable):
    """The message says what the network said."""


class Operator:
    def __init__(self, rpc: Rpc, chain: Chain, seed: bytes, fees: Fees) -> None:
        self.address = envelopes.address_of(seed)
        self._rpc, self._chain, self._seed, self._fees = rpc, chain, seed, fees

    def stroops(self) -> int:
        return holdings.balance_of(self.address, self._rpc.entries([account_key(self.address)]))

    def give(self, addresses: Sequence[str]) -> bool:
        """Lumens for each, in one transaction. False when there are too few to give."""
        if self.stroops() < len(addresses) * GIVEN_STROOPS + KEPT_STROOPS:
            return False
        known = self._rpc.entries([account_key(address) for address in addresses]).found
        given = f"{GIVEN_STROOPS // LUMEN}"

        def fill(builder: TransactionBuilder) -> None:
            for address in addresses:
                if account_key(address).to_xdr() in known:
                    builder.append_operation(Payment(address, Asset.native(), given))
                else:
                    builder.append_operation(CreateAccount(address, given))

        self.do(fill)
        return True

    def call(self, fill: Fill) -> xdr.SCVal:
        """Invoke a contract, or make one, and wait for what it returns."""
        meta = xdr.TransactionMeta.from_xdr(self._send(fill, soroban=True))
        told = meta.v4 or meta.v3
        soroban = None if told is None else told.soroban_meta
        returned = None if soroban is None else soroban.return_value
        return returned or xdr.SCVal(xdr.SCValType.SCV_VOID)

    def do(self, fill: Fill) -> None:
        """Classic operations, and wait until they are applied."""
        self._send(fill, soroban=False)

    def _send(self, fill: Fill, *, soroban: bool) -> str:
        entries = self._rpc.entries([account_key(self.address)])
        sequence = holdings.sequence_of(self.address, entries)
        if sequence is None:
            raise OperatorFailed(f"The operator {self.address} does not exist on this network yet.")
        account = Account(self.address, sequence)
        builder = TransactionBuilder(account, self._chain.passphrase, base_fee=self._fees.bid())
        fill(builder)
        last_moment_s = int(time.time()) + VALID_FOR_S
        ready = builder.add_time_bounds(0, last_moment_s).build()
        if soroban:
            simulated = self._rpc.simulate(ready, enforce=False)
            if simulated.error is not None:
                raise OperatorFailed(f"The network refuses the call: {simulated.error}")
            ready = self._rpc.assembled(ready, simulated)
        envelopes.sign(ready, self._seed)
        return self._wait(ready.to_xdr(), ready.hash_hex(), last_moment_s)

    def _wait(self, body: str, tx_hash: str, last_moment_s: int) -> str:
        """Send the same bytes until they are applied, or never can be."""
        pause = threading.Event()
        while True:
            answer = self._rpc.send(body)
            if answer.status is SendTransactionStatus.ERROR:
                _, code = results.sent_code(answer.error_result_xdr)
                if code != "txBAD_SEQ":  # Which is what an applied transaction says as well.
                    raise OperatorFailed(f"The network refuses the transaction: {code}")
            for _ in range(20):
                told = self._rpc.transaction(tx_hash)
                if told.status is GetTransactionStatus.SUCCESS and told.result_meta_xdr:
                    return str(told.result_meta_xdr)
                if told.status is GetTransactionStatus.FAILED:
                    raise OperatorFailed(f"Transaction {tx_hash} failed.")
                if told.latest_ledger_close_time > last_moment_s:
                    raise OperatorFailed(f"Transaction {tx_hash} was not taken in time.")
                pause.wait(LOOK_S)
