"""Accounts with several signers: weights, thresholds, order."""

from collections.abc import Sequence

import pytest
from stellar_sdk import Keypair, scval, xdr
from stellar_sdk.auth import authorization_payload_hash, build_authorization_preimage

from billing.sandbox import network, signers
from tests.billing.sandbox.town import BUYER, STRANGER, Town, person

SECOND = person(82)
KEYS = sorted([BUYER, SECOND], key=lambda one: one.raw_public_key())


def share(town: Town, *, master: int = 1, threshold: int = 2) -> None:
    """The buyer's account needs the second key, too."""
    view = town.node.view()
    account = view.account(BUYER.public_key)
    assert account is not None
    key = xdr.SignerKey(
        xdr.SignerKeyType.SIGNER_KEY_TYPE_ED25519, ed25519=xdr.Uint256(SECOND.raw_public_key())
    )
    account.signers = [xdr.Signer(key, xdr.Uint32(1))]
    account.thresholds = xdr.Thresholds(bytes([master, 1, threshold, threshold]))
    view.put_account(account)
    town.node.state.apply(view.changes)


def signed_by(town: Town, who: Sequence[Keypair]) -> xdr.SorobanAuthorizationEntry:
    entry = town.authorize(town.authorization(town.purchase()))
    held = entry.credentials.address
    assert held is not None
    until = held.signature_expiration_ledger.uint32
    preimage = build_authorization_preimage(entry, until, network.PASSPHRASE)
    payload = authorization_payload_hash(preimage)
    held.signature = scval.to_vec(
        [
            scval.to_struct(
                {
                    "public_key": scval.to_bytes(one.raw_public_key()),
                    "signature": scval.to_bytes(one.sign(payload)),
                }
            )
            for one in who
        ]
    )
    return entry


@pytest.mark.parametrize(
    ("who", "accepted"),
    [
        (KEYS, True),
        (KEYS[::-1], False),
        ([BUYER], False),
        ([SECOND], False),
        ([BUYER, BUYER], False),
        ([*KEYS, STRANGER], False),
        ([], False),
    ],
)
def test_authorization_needs_the_medium_threshold(
    town: Town, who: list[Keypair], accepted: bool
) -> None:
    share(town)
    simulated = town.simulate(town.call(town.purchase(), [signed_by(town, who)]))
    assert (simulated.error is None) is accepted


def test_envelope_needs_the_medium_threshold_for_a_payment(town: Town) -> None:
    share(town)
    submitted = town.submit(town.pay(BUYER, STRANGER))
    assert submitted.result is not None
    assert submitted.result.result.results is not None
    assert submitted.result.result.results[0].code.name == "opBAD_AUTH"


def test_key_without_weight_is_no_signer(town: Town) -> None:
    share(town, master=0, threshold=1)
    account = town.node.view().account(BUYER.public_key)
    assert account is not None
    assert signers.weights(account) == {SECOND.raw_public_key(): 1}
