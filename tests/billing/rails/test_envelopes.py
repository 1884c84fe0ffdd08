"""Whose transaction it is, who pays for it, and what is taken back from a wallet."""

import copy
import hashlib
import hmac

import pytest
from stellar_sdk import Keypair, TransactionBuilder, TransactionEnvelope

from billing.domain.errors import AuthorizationInvalid
from billing.rails.stellar import envelopes
from gateway.domain import ed25519
from marketplace.domain.chains import sandbox
from tests.billing.buying import person
from tests.billing.rails.vectors import SIGNER, order_of
from tests.vectors.contract import KNOWN, PAID

CHAIN = sandbox()
BUYER = Keypair.from_raw_ed25519_seed(bytes.fromhex(KNOWN["buyer_seed"]))
STRANGER = Keypair.from_raw_ed25519_seed(person("stranger").seed)
MASTER = bytes(range(32))


def issued(**changes: int) -> TransactionEnvelope:
    return envelopes.call_envelope(
        order_of(PAID[0]),
        signer=SIGNER,
        chain=CHAIN,
        source=KNOWN["buyer"],
        **{
            "sequence": 8,
            "fee": 100,
            "last_moment_s": 1_800_000_000,
            "last_ledger": 1180,
            **changes,
        },
    )


def checked(offered: str) -> str:
    return envelopes.checked_transaction(
        issued().to_xdr(), offered, buyer=KNOWN["buyer"], passphrase=CHAIN.passphrase
    )


def test_transaction_uses_the_sequence_it_was_given_and_ends_when_it_should() -> None:
    transaction = issued().transaction
    assert transaction.sequence == 8
    conditions = transaction.preconditions
    assert conditions is not None
    assert conditions.time_bounds is not None
    assert conditions.ledger_bounds is not None
    assert conditions.time_bounds.max_time == 1_800_000_000
    assert conditions.ledger_bounds.max_ledger == 1181  # Exclusive.


def test_buyers_signature_is_taken_and_others_are_left_out() -> None:
    offered = issued()
    offered.sign(STRANGER)
    offered.sign(BUYER)
    kept = TransactionEnvelope.from_xdr(checked(offered.to_xdr()), CHAIN.passphrase)
    assert len(kept.signatures) == 1
    BUYER.verify(kept.hash(), kept.signatures[0].signature)


@pytest.mark.parametrize("signers", [[], [STRANGER]])
def test_transaction_that_the_buyer_did_not_sign_is_refused(signers: list[Keypair]) -> None:
    offered = issued()
    for signer in signers:
        offered.sign(signer)
    with pytest.raises(AuthorizationInvalid, match="not signed by the buyer"):
        checked(offered.to_xdr())


@pytest.mark.parametrize(
    "changes", [{"fee": 101}, {"sequence": 9}, {"last_moment_s": 1_900_000_000}]
)
def test_other_transaction_is_refused_though_the_buyer_signed_it(changes: dict[str, int]) -> None:
    offered = issued(**changes)
    offered.sign(BUYER)
    with pytest.raises(AuthorizationInvalid, match="not the transaction"):
        checked(offered.to_xdr())


@pytest.mark.parametrize("offered", ["", "AAAA", PAID[0]["entry_xdr"]])
def test_what_is_no_transaction_is_refused(offered: str) -> None:
    with pytest.raises(AuthorizationInvalid, match="cannot be read"):
        checked(offered)


def test_bump_pays_for_the_buyers_transaction_unchanged() -> None:
    inner = issued()
    inner.sign(BUYER)
    bumped = envelopes.bump(inner.to_xdr(), CHAIN, seed=MASTER, fee=5_000)
    assert bumped.transaction.inner_transaction_envelope.to_xdr() == inner.to_xdr()
    assert bumped.transaction.fee_source.account_id == envelopes.address_of(MASTER)
    assert bumped.transaction.fee == 10_000
    payer = Keypair.from_public_key(envelopes.address_of(MASTER))
    payer.verify(bumped.hash(), bumped.signatures[0].signature)


def test_channel_keys_are_derived_by_network_and_index() -> None:
    expected = hmac.new(MASTER, b"apicharge channel sandbox 3", hashlib.sha256).digest()
    assert envelopes.channel_seed(MASTER, "sandbox", 3) == expected
    seeds = {
        envelopes.channel_seed(MASTER, network, index)
        for network in ("sandbox", "pubnet")
        for index in range(3)
    }
    assert len(seeds) == 6


def test_signature_of_a_channel_is_what_the_network_checks() -> None:
    envelope = copy.deepcopy(issued())
    envelopes.sign(envelope, MASTER)
    (signature,) = envelope.signatures
    assert ed25519.verify(ed25519.public_key(MASTER), envelope.hash(), signature.signature)
    assert signature.signature_hint == ed25519.public_key(MASTER)[-4:]
    again = TransactionBuilder.from_xdr(envelope.to_xdr(), CHAIN.passphrase)
    assert again.hash() == envelope.hash()
