"""Who may act for an account is what the network says of it, and not whose name it bears."""

from dataclasses import dataclass

import pytest
from stellar_sdk import Keypair, TransactionEnvelope, xdr

from billing.domain.errors import LoginRefused
from billing.rails.port import Signers
from billing.rails.stellar import logins
from billing.rails.stellar.rpc import Entries
from billing.sandbox import entries

PASSPHRASE = "Test SDF Network ; September 2015"
DOMAIN = "gw.example"
SERVER = bytes([1]) * 32
MASTER, OTHER, THIRD = (Keypair.from_raw_ed25519_seed(bytes([n]) * 32) for n in (2, 3, 4))


@dataclass
class Node:
    account: xdr.AccountEntry | None

    def entries(self, keys: list[xdr.LedgerKey]) -> Entries:
        if self.account is None:
            return Entries({}, 1)
        data = xdr.LedgerEntryData(xdr.LedgerEntryType.ACCOUNT, account=self.account)
        return Entries({keys[0].to_xdr(): data}, 1)


def account(*, master: int, medium: int, **weights: int) -> xdr.AccountEntry:
    made = entries.new_account(MASTER.public_key, balance=10**9, sequence=1)
    made.thresholds = xdr.Thresholds(bytes([master, 0, medium, 0]))
    keys = {"other": OTHER, "third": THIRD}
    made.signers = [
        xdr.Signer(signer_key(keys[name]), xdr.Uint32(weight)) for name, weight in weights.items()
    ]
    return made


def signer_key(pair: Keypair) -> xdr.SignerKey:
    kind = xdr.SignerKeyType.SIGNER_KEY_TYPE_ED25519
    return xdr.SignerKey(kind, ed25519=xdr.Uint256(pair.raw_public_key()))


def signers(found: xdr.AccountEntry | None) -> Signers:
    return logins.signers(Node(found), MASTER.public_key)  # type: ignore[arg-type] # the fake


def test_account_that_does_not_exist_yet_is_its_own_keys() -> None:
    assert signers(None) == Signers(1, {MASTER.public_key: 1})


def test_account_without_thresholds_still_needs_a_signature() -> None:
    assert signers(account(master=1, medium=0)) == Signers(1, {MASTER.public_key: 1})


def test_key_without_weight_does_not_act() -> None:
    found = signers(account(master=0, medium=2, other=1, third=1))
    assert found == Signers(2, {OTHER.public_key: 1, THIRD.public_key: 1})


def is_signed(by: Signers, *pairs: Keypair) -> bool:
    challenge = logins.challenge(SERVER, MASTER.public_key, DOMAIN, PASSPHRASE)
    envelope = TransactionEnvelope.from_xdr(challenge, PASSPHRASE)
    for pair in pairs:
        envelope.sign(pair)
    return logins.is_signed(envelope.to_xdr(), SERVER, DOMAIN, PASSPHRASE, by)


@pytest.mark.parametrize(
    ("pairs", "enough"),
    [([], False), ([MASTER], False), ([OTHER], False), ([OTHER, THIRD], True)],
)
def test_signatures_reach_the_medium_threshold_together(pairs: list[Keypair], enough: bool) -> None:
    by = signers(account(master=0, medium=2, other=1, third=1))
    assert is_signed(by, *pairs) == enough


def test_signature_of_nobody_known_spoils_the_rest() -> None:
    by = Signers(1, {MASTER.public_key: 1})
    assert is_signed(by, MASTER)
    assert not is_signed(by, MASTER, OTHER)


def test_challenge_names_its_account_and_place() -> None:
    challenge = logins.challenge(SERVER, MASTER.public_key, DOMAIN, PASSPHRASE)
    assert logins.claimed(challenge, SERVER, DOMAIN, PASSPHRASE).account == MASTER.public_key
    for seed, domain in ((bytes(32), DOMAIN), (SERVER, "evil.example")):
        with pytest.raises(LoginRefused):
            logins.claimed(challenge, seed, domain, PASSPHRASE)
