"""A way to pay that a test is in charge of: a chain of ledgers in memory, and what to refuse.

What is sent waits in `mempool` until the test closes a ledger. An envelope's body says whom it pays
for, so an applied one becomes the payment that its order asked for.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass, field, replace

from stellar_sdk import StrKey

from billing.domain.errors import (
    AuthorizationInvalid,
    LoginRefused,
    NetworkUnavailable,
    RefundRefused,
)
from billing.domain.payments import Payment, Terms
from billing.domain.refunds import Transfer
from billing.rails.port import (
    Absent,
    Applied,
    Authorization,
    Channel,
    ChannelState,
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
    Unreadable,
)
from gateway.domain import ed25519

CHAIN_STARTS_S = 1_800_000_000
CLOSE_SECONDS = 5
VALID_FOR_LEDGERS = 100


def terms_of(order: Order) -> Terms:
    quote = order.quote
    return Terms(
        purchase_id=order.purchase_id.hex(),
        buyer=order.buyer,
        digest=quote.digest,
        access_key=order.access_key.hex(),
        asset=quote.sac,
        amount=quote.amount,
        fee=quote.fee,
        payee=quote.payee,
        treasury=quote.treasury,
    )


@dataclass
class FakeRail:
    method: str = "fake"
    network: str = "fake"
    contract: str = "CFAKE"
    ledger: int = 1_000
    closed_at_s: int = CHAIN_STARTS_S
    oldest_ledger: int = 1
    mempool: dict[str, str] = field(default_factory=dict)
    applied: dict[str, Payment | Refused] = field(default_factory=dict)
    told: list[Payment | Unreadable] = field(default_factory=list)
    sequences: dict[str, int] = field(default_factory=dict)
    transfers: dict[str, Transferred | TransferFailed | None] = field(default_factory=dict)
    sent: list[str] = field(default_factory=list)
    # What the test may set.
    away: bool = False
    refuses: Refused | None = None
    receipt: Receipt = field(default_factory=lambda: Receipt(Sent.ACCEPTED, "PENDING"))
    fails: Refused | None = None
    loses: bool = False

    def is_account(self, address: str) -> bool:
        return StrKey.is_valid_ed25519_public_key(address)

    def account_key(self, address: str) -> bytes:
        return StrKey.decode_ed25519_public_key(address)

    def instruct(self, order: Order, *, callback: str, now_s: float) -> Instruction:
        self._answer()
        return Instruction(
            signing_hash=hashlib.sha256(b"fake" + order.purchase_id).digest(),
            preimage="cHJl",
            entry="ZW50",
            valid_until=self.ledger + VALID_FOR_LEDGERS,
            latest=self.ledger,
            transaction="dHg=",
            link=f"pay:{callback}",
        )

    def authorize(self, order: Order, instruction: Instruction, offered: Offered) -> Authorization:
        if not isinstance(offered, SignatureOffered):
            raise AuthorizationInvalid("The fake takes signatures.")
        key = self.account_key(order.buyer)
        if offered.signer != order.buyer or not ed25519.verify(
            key, instruction.signing_hash, offered.signature
        ):
            raise AuthorizationInvalid("Not the buyer's.")
        return Authorization(Kind.ENTRY, offered.signature.hex())

    def build(
        self, order: Order, authorization: Authorization, slot: Slot | None
    ) -> Envelope | Refused:
        self._answer()
        if self.refuses is not None:
            return self.refuses
        assert slot is not None
        terms = terms_of(order)
        body = json.dumps(
            {
                "channel": slot.channel.address,
                "sequence": slot.sequence,
                "last_moment_s": slot.last_moment_s,
                "terms": {name: getattr(terms, name) for name in terms.__slots__},
            }
        )
        tx_hash = hashlib.sha256(body.encode()).hexdigest()
        return Envelope(tx_hash, body, slot.last_moment_s, self.ledger)

    def send(self, body: str) -> Receipt:
        self.sent.append(body)
        if not self.loses and self.receipt.sent in {Sent.ACCEPTED, Sent.UNKNOWN}:
            self.mempool[hashlib.sha256(body.encode()).hexdigest()] = body
        return self.receipt

    def outcome(self, tx_hash: str, order: Order) -> Outcome:
        self._answer()
        seen = Height(self.ledger, self.closed_at_s, self.oldest_ledger)
        found = self.applied.get(tx_hash)
        if found is None:
            return Absent(seen)
        if isinstance(found, Refused):
            return FailedOnChain(seen, self.ledger, found)
        return Applied(seen, found.ledger, (found,))

    def payments_after(self, cursor: str) -> Page:
        self._answer()
        news = self.told[int(cursor or 0) :]
        return Page(
            payments=tuple(item for item in news if isinstance(item, Payment)),
            unreadable=tuple(item for item in news if isinstance(item, Unreadable)),
            cursor=str(len(self.told)),
            followed=Height(self.ledger, self.closed_at_s, self.oldest_ledger),
            latest_ledger=self.ledger,
        )

    def find_payments(self, digest: str) -> tuple[Payment, ...]:
        self._answer()
        payments = [item for item in self.told if isinstance(item, Payment)]
        return tuple(payment for payment in payments if payment.terms.digest == digest)

    def channel(self, index: int) -> Channel:
        key = hashlib.sha256(b"fake channel %d" % index).digest()
        return Channel(index, StrKey.encode_ed25519_public_key(ed25519.public_key(key)))

    def channel_state(self, address: str) -> ChannelState | None:
        self._answer()
        if address not in self.sequences:
            return None
        return ChannelState(self.sequences[address], 10**9)

    def fund(self, addresses: Sequence[str]) -> None:
        for address in addresses:
            self.sequences.setdefault(address, 0)

    def prepare_transfer(
        self, transfer: Transfer, *, callback: str, last_moment_s: int
    ) -> Prepared:
        self._answer()
        if self.refuses is not None:
            raise RefundRefused(self.refuses.detail)
        body = json.dumps([*astuple(transfer), last_moment_s, len(self.transfers)])
        tx_hash = hashlib.sha256(body.encode()).hexdigest()
        self.transfers[tx_hash] = None
        return Prepared(tx_hash, body, f"pay:{callback}", self.ledger)

    def signed_transfer(self, issued: str, offered: str, *, payer: str) -> str:
        if offered != f"{issued} signed by {payer}":
            raise AuthorizationInvalid("Not the payer's.")
        return offered

    def transfer_fate(
        self, tx_hash: str, transfer: Transfer
    ) -> Transferred | TransferFailed | Absent:
        self._answer()
        fate = self.transfers.get(tx_hash)
        return fate or Absent(Height(self.ledger, self.closed_at_s, self.oldest_ledger))

    def signers(self, address: str) -> Signers:
        return Signers(1, {address: 1})

    def login_challenge(self, account: str, *, seed: bytes, domain: str) -> str:
        return json.dumps([account, domain])

    def login_claimed(self, transaction: str, *, seed: bytes, domain: str) -> Proven:
        raise LoginRefused("The fake knows no challenges.")

    def login_signed(self, transaction: str, account: str, *, seed: bytes, domain: str) -> bool:
        return False

    def close_ledger(self, *, seconds: int = CLOSE_SECONDS) -> None:
        """Apply what waits and is not too late."""
        self.ledger += 1
        self.closed_at_s += seconds
        for tx_hash, body in self.mempool.items():
            envelope = json.loads(body)
            channel, sequence = envelope["channel"], envelope["sequence"]
            late = self.closed_at_s > envelope["last_moment_s"]
            if late or sequence != self.sequences[channel] + 1:
                continue
            self.sequences[channel] = sequence
            if self.fails is not None:
                self.applied[tx_hash] = self.fails
                continue
            payment = self.pay(Terms(**envelope["terms"]), tx_hash=tx_hash)
            self.applied[tx_hash] = payment
        self.mempool.clear()

    def pay(self, terms: Terms, *, tx_hash: str = "ab" * 32) -> Payment:
        """A payment in the last ledger, whoever made it."""
        payment = Payment(terms, tx_hash, self.ledger, self.closed_at_s)
        self.told.append(payment)
        return payment

    def pass_ledgers(self, count: int) -> None:
        self.ledger += count
        self.closed_at_s += count * CLOSE_SECONDS

    def _answer(self) -> None:
        if self.away:
            raise NetworkUnavailable("The fake is away.")


def differing(terms: Terms, **changes: object) -> Terms:
    return replace(terms, **changes)  # type: ignore[arg-type] # fields of Terms
