"""Transactions around the call: from a channel of ours, or from the buyer's own account.

The buyer needs no XLM: a channel is source and pays. Wallets that sign nothing but transactions get
one with the buyer as source; it is wrapped in a fee bump of a channel's.
"""

import hashlib
import hmac
from dataclasses import dataclass
from urllib.parse import urlsplit

from stellar_sdk import (
    Account,
    DecoratedSignature,
    FeeBumpTransactionEnvelope,
    Keypair,
    StrKey,
    TransactionBuilder,
    TransactionEnvelope,
    xdr,
)
from stellar_sdk.sep.stellar_uri import TransactionStellarUri

from billing.domain.errors import AuthorizationInvalid
from billing.rails.port import Order
from billing.rails.stellar.calls import FUNCTION, arguments
from gateway.domain import ed25519
from marketplace.domain.chains import Chain

BASE_FEE = 100
LINK_MESSAGE_MAX = 300


def channel_seed(master: bytes, network: str, index: int) -> bytes:
    return hmac.digest(master, f"apicharge channel {network} {index}".encode(), hashlib.sha256)


def address_of(seed: bytes) -> str:
    return StrKey.encode_ed25519_public_key(ed25519.public_key(seed))


def call_envelope(  # noqa: PLR0913 - the parts of one transaction
    order: Order,
    *,
    signer: bytes,
    chain: Chain,
    source: str,
    sequence: int,
    fee: int,
    auth: list[xdr.SorobanAuthorizationEntry] | None = None,
    last_moment_s: int,
    last_ledger: int | None = None,
) -> TransactionEnvelope:
    """The transaction before it is simulated. `sequence` is the one that it will use."""
    builder = TransactionBuilder(Account(source, sequence - 1), chain.passphrase, base_fee=fee)
    builder.append_invoke_contract_function_op(
        chain.contract, FUNCTION, arguments(order, signer), auth=auth
    )
    builder.add_time_bounds(0, last_moment_s)
    if last_ledger is not None:
        builder.set_ledger_bounds(0, last_ledger + 1)
    return builder.build()


def sign(envelope: TransactionEnvelope | FeeBumpTransactionEnvelope, seed: bytes) -> None:
    public_key = ed25519.public_key(seed)
    signature = ed25519.sign(seed, envelope.hash())
    envelope.signatures.append(_decorated(public_key, signature))


def bump(inner: str, chain: Chain, *, seed: bytes, fee: int) -> FeeBumpTransactionEnvelope:
    envelope = TransactionEnvelope.from_xdr(inner, chain.passphrase)
    bumped = TransactionBuilder.build_fee_bump_transaction(
        address_of(seed), max(fee, BASE_FEE), envelope, chain.passphrase
    )
    sign(bumped, seed)
    return bumped


def checked_transaction(issued: str, offered: str, *, buyer: str, passphrase: str) -> str:
    """Our own transaction with the buyer's one signature, when `offered` carries that."""
    ours = TransactionEnvelope.from_xdr(issued, passphrase)
    try:
        theirs = TransactionEnvelope.from_xdr(offered, passphrase)
        same = theirs.hash() == ours.hash()
        signatures = [decorated.signature for decorated in theirs.signatures]
    except Exception as exc:  # The reader of XDR has no common exception: all refuse.
        raise AuthorizationInvalid("transaction_xdr cannot be read.") from exc
    if not same:
        raise AuthorizationInvalid("transaction_xdr is not the transaction of this instruction.")
    public_key = StrKey.decode_ed25519_public_key(buyer)
    for signature in signatures:
        if ed25519.verify(public_key, ours.hash(), signature):
            ours.signatures.append(_decorated(public_key, signature))
            return ours.to_xdr()
    raise AuthorizationInvalid("transaction_xdr is not signed by the buyer.")


@dataclass(frozen=True, slots=True)
class Link:
    """What a SEP-7 link says beside its transaction, and the key that it is signed with."""

    buyer: str
    callback: str
    words: str
    seed: bytes


def link(transaction: str, chain: Chain, said: Link) -> str:
    """SEP-7. Signed where a wallet can look our key up: at https and a domain of our own."""
    where = urlsplit(said.callback)
    known = where.scheme == "https" and where.hostname is not None and where.port in {None, 443}
    uri = TransactionStellarUri(
        TransactionEnvelope.from_xdr(transaction, chain.passphrase),
        callback=said.callback,
        pubkey=said.buyer,
        message=said.words[:LINK_MESSAGE_MAX],
        network_passphrase=chain.passphrase,
        origin_domain=where.hostname if known else None,
    )
    if known:
        uri.sign(Keypair.from_raw_ed25519_seed(said.seed))
    return uri.to_uri()


def _decorated(public_key: bytes, signature: bytes) -> DecoratedSignature:
    return DecoratedSignature(public_key[-4:], signature)  # The hint is the key's last four bytes.
