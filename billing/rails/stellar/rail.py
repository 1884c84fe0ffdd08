"""The Stellar rail: billing's port, on the calls of stellar_sdk.

Fees are the network's 90th percentile within a cap. A call is simulated with its authorization
enforced before it is built, so one that would fail costs nothing.
"""

import secrets
from collections.abc import Sequence

from stellar_sdk import StrKey, TransactionEnvelope, xdr
from stellar_sdk.soroban_rpc import GetTransactionStatus, SendTransactionStatus

from billing.domain.errors import AuthorizationInvalid, CannotPay, NetworkUnavailable
from billing.domain.payments import Payment
from billing.domain.refunds import Transfer
from billing.rails.port import (
    Absent,
    Applied,
    Authorization,
    Channel,
    ChannelState,
    EntryOffered,
    Envelope,
    FailedOnChain,
    Height,
    Instruction,
    Kind,
    Offered,
    Order,
    Outcome,
    Page,
    Prepared,
    Proven,
    Receipt,
    Refused,
    Sent,
    SignatureOffered,
    Signers,
    Slot,
    TransferFailed,
    Transferred,
)
from billing.rails.stellar import (
    calls,
    envelopes,
    events,
    following,
    holdings,
    logins,
    results,
    tokens,
    transfers,
)
from billing.rails.stellar.deploying import Deploying
from billing.rails.stellar.envelopes import Link
from billing.rails.stellar.fees import Fees
from billing.rails.stellar.founding import Founding
from billing.rails.stellar.operator import Operator
from billing.rails.stellar.rpc import Rpc, account_key
from marketplace.domain import quotes
from marketplace.domain.chains import Chain, login_seed, operator_seed

# About 15 minutes at five seconds a ledger; clients refuse more than 200.
VALID_FOR_LEDGERS = 180
LEDGER_SECONDS_MAX = 6
INCLUSION_FEE_MAX = 100_000  # 0.01 XLM.
MARGIN_LEDGERS = 1  # An envelope built now can be in the next ledger at the earliest.

_SENT = {
    SendTransactionStatus.PENDING: Sent.ACCEPTED,
    SendTransactionStatus.DUPLICATE: Sent.ACCEPTED,
    SendTransactionStatus.TRY_AGAIN_LATER: Sent.LATER,
}


class StellarRail:
    def __init__(
        self,
        chain: Chain,
        rpc_url: str,
        *,
        quote_signers: Sequence[bytes],
        channel_key: bytes,
        inclusion_fee_max: int = INCLUSION_FEE_MAX,
    ) -> None:
        self._chain = chain
        self._rpc = Rpc(rpc_url)
        self._signers = quote_signers  # The one that signs now, and those before it.
        self._channel_key = channel_key
        self._fees = Fees(self._rpc, cap=inclusion_fee_max)
        self._link_seed = login_seed(channel_key, chain.name)
        operator = operator_seed(channel_key, chain.name)
        self._operator = Operator(self._rpc, chain, operator, self._fees)

    @property
    def method(self) -> str:
        return "stellar"

    @property
    def network(self) -> str:
        return self._chain.name

    @property
    def contract(self) -> str:
        return self._chain.contract

    def is_account(self, address: str) -> bool:
        return StrKey.is_valid_ed25519_public_key(address)

    def account_key(self, address: str) -> bytes:
        return StrKey.decode_ed25519_public_key(address)

    def instruct(self, order: Order, *, callback: str, now_s: float) -> Instruction:
        entries = self._rpc.entries(holdings.keys(order))
        holdings.check(order, entries)
        if order.quote.is_token:
            tokens.check(self._rpc, order, self._chain.passphrase)
        valid_until = entries.latest_ledger + VALID_FOR_LEDGERS
        entry = calls.unsigned_entry(
            calls.invocation(order, self._signer(order), self._chain),
            order.buyer,
            nonce=int.from_bytes(secrets.token_bytes(8), "big", signed=True),
            valid_until=valid_until,
        )
        transaction = self._buyers_transaction(
            order,
            sequence=(holdings.sequence_of(order.buyer, entries) or 0) + 1,
            last_ledger=valid_until,
            last_moment_s=min(
                order.quote.expires_at, int(now_s) + VALID_FOR_LEDGERS * LEDGER_SECONDS_MAX
            ),
        )
        return Instruction(
            signing_hash=calls.signing_hash(entry, self._chain.passphrase),
            preimage=calls.preimage(entry, self._chain.passphrase).to_xdr(),
            entry=entry.to_xdr(),
            valid_until=valid_until,
            latest=entries.latest_ledger,
            transaction=transaction,
            link=envelopes.link(
                transaction,
                self._chain,
                Link(
                    order.buyer,
                    callback,
                    f"{order.quote.name}: {order.quote.route}",
                    self._link_seed,
                ),
            ),
        )

    def authorize(self, order: Order, instruction: Instruction, offered: Offered) -> Authorization:
        passphrase = self._chain.passphrase
        if isinstance(offered, EntryOffered):
            signed = calls.checked_offer(
                instruction.entry, offered.entry, buyer=order.buyer, passphrase=passphrase
            )
            return Authorization(Kind.ENTRY, signed)
        if isinstance(offered, SignatureOffered):
            if offered.signer != order.buyer:
                raise AuthorizationInvalid("The signer is not the buyer of this purchase.")
            signed = calls.checked_entry(
                instruction.entry,
                buyer=order.buyer,
                signature=offered.signature,
                passphrase=passphrase,
            )
            return Authorization(Kind.ENTRY, signed)
        signed = envelopes.checked_transaction(
            instruction.transaction,
            offered.transaction,
            buyer=order.buyer,
            passphrase=passphrase,
        )
        return Authorization(Kind.TRANSACTION, signed)

    def build(
        self, order: Order, authorization: Authorization, slot: Slot | None
    ) -> Envelope | Refused:
        if authorization.kind is Kind.TRANSACTION or slot is None:
            return self._bumped(order, authorization.body)
        entry = xdr.SorobanAuthorizationEntry.from_xdr(authorization.body)
        draft = envelopes.call_envelope(
            order,
            signer=self._signer(order),
            chain=self._chain,
            source=slot.channel.address,
            sequence=slot.sequence,
            fee=self._fees.bid(),
            auth=[entry],
            last_moment_s=slot.last_moment_s,
        )
        simulated = self._rpc.simulate(draft, enforce=True)
        if simulated.error is not None:
            return self._refused(order, simulated.error, simulated.events or [])
        ready = self._rpc.assembled(draft, simulated)
        envelopes.sign(ready, self._seed(slot.channel.index))
        return Envelope(
            ready.hash_hex(), ready.to_xdr(), slot.last_moment_s, simulated.latest_ledger
        )

    def send(self, body: str) -> Receipt:
        try:
            answer = self._rpc.send(body)
        except NetworkUnavailable:
            return Receipt(Sent.UNKNOWN, "no answer")
        if answer.status in _SENT:
            return Receipt(_SENT[answer.status], answer.status.value)
        receipt = Receipt(*results.sent_code(answer.error_result_xdr))
        if receipt.sent is Sent.FEE_TOO_LOW:
            self._fees.too_low()
        return receipt

    def outcome(self, tx_hash: str, order: Order) -> Outcome:
        answer = self._rpc.transaction(tx_hash)
        seen = Height(answer.latest_ledger, answer.latest_ledger_close_time, answer.oldest_ledger)
        if answer.status is GetTransactionStatus.NOT_FOUND:
            return Absent(seen)
        if answer.ledger is None or answer.create_at is None or answer.result_xdr is None:
            raise NetworkUnavailable("The network's node told half of a transaction.")
        if answer.status is GetTransactionStatus.FAILED:
            refused = results.failed_transaction(
                answer.result_xdr,
                answer.diagnostic_events_xdr or [],
                contract=self._chain.contract,
                asset=order.quote.sac,
            )
            return FailedOnChain(seen, answer.ledger, refused)
        told = answer.events.contract_events_xdr if answer.events is not None else None
        payments = events.of_transaction(
            told or [],
            contract=self._chain.contract,
            tx_hash=answer.transaction_hash,
            ledger=answer.ledger,
            closed_at_s=answer.create_at,
        )
        return Applied(seen, answer.ledger, payments)

    def payments_after(self, cursor: str) -> Page:
        return following.page(self._rpc, self._chain.contract, cursor)

    def find_payments(self, digest: str) -> tuple[Payment, ...]:
        return following.find(self._rpc, self._chain.contract, digest)

    def channel(self, index: int) -> Channel:
        return Channel(index, envelopes.address_of(self._seed(index)))

    def channel_state(self, address: str) -> ChannelState | None:
        entries = self._rpc.entries([account_key(address)])
        sequence = holdings.sequence_of(address, entries)
        if sequence is None:
            return None
        return ChannelState(sequence, holdings.balance_of(address, entries))

    def fund(self, addresses: Sequence[str]) -> None:
        left = [address for address in addresses if not self._rpc.ask_faucet(address)]
        if left:
            self._operator.give(left)

    def founding(self) -> Founding:
        return Founding(self._rpc, self._chain, self._operator)

    def deploying(self, wasm: bytes) -> Deploying:
        signer = self._signers[0]
        return Deploying(self._rpc, self._chain, self._operator, signer, wasm)

    def _signer(self, order: Order) -> bytes:
        """As it was when the buyer was told what to sign."""
        return quotes.signer_of(order.quote, self._signers) or self._signers[0]

    def prepare_transfer(
        self, transfer: Transfer, *, callback: str, last_moment_s: int
    ) -> Prepared:
        return transfers.prepare(
            self._rpc,
            self._chain,
            transfer,
            fee=self._fees.bid(),
            said=Link(transfer.payer, callback, f"Refund to {transfer.receiver}", self._link_seed),
            last_moment_s=last_moment_s,
        )

    def signed_transfer(self, issued: str, offered: str, *, payer: str) -> str:
        return envelopes.checked_transaction(
            issued, offered, buyer=payer, passphrase=self._chain.passphrase
        )

    def transfer_fate(
        self, tx_hash: str, transfer: Transfer
    ) -> Transferred | TransferFailed | Absent:
        return transfers.fate(self._rpc, tx_hash, transfer)

    def signers(self, address: str) -> Signers:
        return logins.signers(self._rpc, address)

    def login_challenge(self, account: str, *, seed: bytes, domain: str) -> str:
        return logins.challenge(seed, account, domain, self._chain.passphrase)

    def login_claimed(self, transaction: str, *, seed: bytes, domain: str) -> Proven:
        return logins.claimed(transaction, seed, domain, self._chain.passphrase)

    def login_signed(self, transaction: str, account: str, *, seed: bytes, domain: str) -> bool:
        by = self.signers(account)
        return logins.is_signed(transaction, seed, domain, self._chain.passphrase, by)

    def _buyers_transaction(
        self, order: Order, *, sequence: int, last_ledger: int, last_moment_s: int
    ) -> str:
        """Simulated, so it also tells what the contract itself would say to this purchase."""
        draft = envelopes.call_envelope(
            order,
            signer=self._signer(order),
            chain=self._chain,
            source=order.buyer,
            sequence=sequence,
            fee=envelopes.BASE_FEE,
            last_moment_s=last_moment_s,
            last_ledger=last_ledger,
        )
        simulated = self._rpc.simulate(draft, enforce=False)
        if simulated.error is not None:
            refused = self._refused(order, simulated.error, simulated.events or [])
            raise CannotPay(refused.detail)
        return self._rpc.assembled(draft, simulated).to_xdr()

    def _bumped(self, order: Order, inner: str) -> Envelope | Refused:
        envelope = TransactionEnvelope.from_xdr(inner, self._chain.passphrase)
        simulated = self._rpc.simulate(envelope, enforce=True)
        if simulated.error is not None:
            return self._refused(order, simulated.error, simulated.events or [])
        bumped = envelopes.bump(inner, self._chain, seed=self._seed(0), fee=self._fees.bid())
        bounds = envelope.transaction.preconditions
        assert bounds is not None
        assert bounds.time_bounds is not None  # We built it.
        return Envelope(
            bumped.hash_hex(), bumped.to_xdr(), bounds.time_bounds.max_time, simulated.latest_ledger
        )

    def _refused(self, order: Order, message: str, told: list[str]) -> Refused:
        return results.refused_call(
            message, told, contract=self._chain.contract, asset=order.quote.sac
        )

    def _seed(self, index: int) -> bytes:
        return envelopes.channel_seed(self._channel_key, self._chain.name, index)
