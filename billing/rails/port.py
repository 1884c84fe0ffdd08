"""What billing asks of a way to pay. Everything that knows a chain by name is behind this.

A purchase on a rail is instructed (the buyer is told what to sign), authorized (the signature is
checked), built into an envelope, sent, and seen as a payment. Sending proves nothing: only a
payment that the rail reports grants anything. Heights are ledger numbers.

A refusal is a value; `NetworkUnavailable` is the only fault, and says that nothing is known.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from billing.domain.payments import Payment
from billing.domain.refunds import Transfer
from marketplace.domain.quotes import SignedQuote


@dataclass(frozen=True, slots=True)
class Order:
    purchase_id: bytes
    buyer: str
    access_key: bytes
    quote: SignedQuote


@dataclass(frozen=True, slots=True)
class Instruction:
    """What the buyer is asked to sign. `transaction` is for wallets that sign nothing smaller."""

    signing_hash: bytes
    preimage: str
    entry: str
    valid_until: int
    latest: int  # The height at which it was made.
    transaction: str
    link: str = ""


@dataclass(frozen=True, slots=True)
class SignatureOffered:
    signer: str
    signature: bytes


@dataclass(frozen=True, slots=True)
class EntryOffered:
    entry: str


@dataclass(frozen=True, slots=True)
class TransactionOffered:
    transaction: str


Offered = SignatureOffered | EntryOffered | TransactionOffered


class Kind(StrEnum):
    ENTRY = "entry"
    TRANSACTION = "transaction"
    FREE = "free"


@dataclass(frozen=True, slots=True)
class Authorization:
    """Checked, and in one spelling: the same authorization is the same text."""

    kind: Kind
    body: str


@dataclass(frozen=True, slots=True)
class Channel:
    """An account of ours that a transaction is sent from, one at a time."""

    index: int
    address: str


@dataclass(frozen=True, slots=True)
class Slot:
    """A channel, the sequence number an envelope will use, and its last moment."""

    channel: Channel
    sequence: int
    last_moment_s: int


@dataclass(frozen=True, slots=True)
class Envelope:
    tx_hash: str
    body: str
    last_moment_s: int
    height: int  # Of the network when it was built.


class Refusal(StrEnum):
    FINAL = "final"  # The call cannot succeed as things are.
    SPENT = "spent"  # Its id or nonce was used: the payment may be on chain already.
    LATER = "later"  # Says nothing about the call.


@dataclass(frozen=True, slots=True)
class Refused:
    refusal: Refusal
    slug: str
    detail: str


class Sent(StrEnum):
    ACCEPTED = "accepted"
    LATER = "later"  # Not taken now: the same bytes again.
    STALE_SEQUENCE = "stale_sequence"
    CHANNEL_POOR = "channel_poor"
    FEE_TOO_LOW = "fee_too_low"
    REFUSED = "refused"
    UNKNOWN = "unknown"  # No answer, or none that makes sense: it may have been taken.


# Who offers bytes for the first time and is answered this has offered them to nobody else.
NEVER_TAKEN = frozenset({Sent.STALE_SEQUENCE, Sent.CHANNEL_POOR, Sent.FEE_TOO_LOW, Sent.REFUSED})


@dataclass(frozen=True, slots=True)
class Receipt:
    sent: Sent
    code: str = ""


@dataclass(frozen=True, slots=True)
class Height:
    ledger: int
    closed_at_s: int
    oldest_ledger: int = 0


@dataclass(frozen=True, slots=True)
class Applied:
    seen: Height
    ledger: int
    payments: tuple[Payment, ...]


@dataclass(frozen=True, slots=True)
class FailedOnChain:
    seen: Height
    ledger: int
    refused: Refused


@dataclass(frozen=True, slots=True)
class Absent:
    seen: Height


Outcome = Applied | FailedOnChain | Absent


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An event of our contract that is not what our contract emits."""

    tx_hash: str
    ledger: int
    reason: str


@dataclass(frozen=True, slots=True)
class Page:
    payments: tuple[Payment, ...]
    unreadable: tuple[Unreadable, ...]
    cursor: str
    followed: Height  # Everything up to here has been told.
    latest_ledger: int
    gap: bool = False  # What came before is no longer kept by the network.


@dataclass(frozen=True, slots=True)
class ChannelState:
    sequence: int
    spendable: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """A transfer that waits for its payer's signature; its hash is known before."""

    tx_hash: str
    body: str
    link: str
    height: int


@dataclass(frozen=True, slots=True)
class Transferred:
    ledger: int


@dataclass(frozen=True, slots=True)
class TransferFailed:
    ledger: int
    detail: str


@dataclass(frozen=True, slots=True)
class Signers:
    """Who may act for an account: keys by weight, and what they have to reach together."""

    threshold: int
    weights: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Proven:
    """Whom a login challenge is for, and its id."""

    account: str
    id: str


class Rail(Protocol):
    @property
    def method(self) -> str:
        """What it is called where ways to pay are named over HTTP."""

    @property
    def network(self) -> str: ...

    @property
    def contract(self) -> str: ...

    def is_account(self, address: str) -> bool: ...

    def account_key(self, address: str) -> bytes: ...

    def instruct(self, order: Order, *, callback: str, now_s: float) -> Instruction:
        """Raises a `CannotPay` that says what to do, when the call would fail."""

    def authorize(self, order: Order, instruction: Instruction, offered: Offered) -> Authorization:
        """No I/O. Raises `AuthorizationInvalid`."""

    def build(
        self, order: Order, authorization: Authorization, slot: Slot | None
    ) -> Envelope | Refused:
        """Simulated with the authorization enforced. No slot: the buyer's own transaction."""

    def send(self, body: str) -> Receipt: ...

    def outcome(self, tx_hash: str, order: Order) -> Outcome: ...

    def payments_after(self, cursor: str) -> Page:
        """ "" begins at the oldest that the network keeps."""

    def find_payments(self, digest: str) -> tuple[Payment, ...]:
        """Every payment for this quote that the network still keeps."""

    def channel(self, index: int) -> Channel: ...

    def channel_state(self, address: str) -> ChannelState | None: ...

    def fund(self, addresses: Sequence[str]) -> None:
        """Fee money for channels: of the network's faucet, else of our operator, while it lasts."""

    def prepare_transfer(
        self, transfer: Transfer, *, callback: str, last_moment_s: int
    ) -> Prepared:
        """Raises `RefundRefused` when it would fail."""

    def signed_transfer(self, issued: str, offered: str, *, payer: str) -> str:
        """No I/O. Raises `AuthorizationInvalid`."""

    def transfer_fate(
        self, tx_hash: str, transfer: Transfer
    ) -> Transferred | TransferFailed | Absent: ...

    def signers(self, address: str) -> Signers: ...

    def login_challenge(self, account: str, *, seed: bytes, domain: str) -> str: ...

    def login_claimed(self, transaction: str, *, seed: bytes, domain: str) -> Proven:
        """Nothing about who signed it. Raises `LoginRefused`."""

    def login_signed(self, transaction: str, account: str, *, seed: bytes, domain: str) -> bool: ...
