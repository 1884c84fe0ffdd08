"""SEP-10: a transaction that no network takes, signed by whoever holds the account."""

from collections.abc import Iterable

from stellar_sdk import Keypair, StrKey, xdr
from stellar_sdk.exceptions import SdkError
from stellar_sdk.sep import stellar_web_authentication as sep10
from stellar_sdk.sep.ed25519_public_key_signer import Ed25519PublicKeySigner

from billing.domain.errors import LoginRefused
from billing.domain.logins import CHALLENGE_SECONDS
from billing.rails.port import Proven, Signers
from billing.rails.stellar.rpc import Rpc, account_key

_ED25519 = xdr.SignerKeyType.SIGNER_KEY_TYPE_ED25519


def signers(rpc: Rpc, address: str) -> Signers:
    """Who may act for an account: what it says on the network, or its own key where it is not."""
    found = rpc.entries([account_key(address)]).found.get(account_key(address).to_xdr())
    if found is None or found.account is None:
        return Signers(1, {address: 1})
    account = found.account
    master, _, medium, _ = account.thresholds.thresholds
    weights = {address: master, **dict(_others(account.signers))}
    return Signers(max(medium, 1), {key: weight for key, weight in weights.items() if weight})


def challenge(seed: bytes, account: str, domain: str, passphrase: str) -> str:
    return sep10.build_challenge_transaction(
        Keypair.from_raw_ed25519_seed(seed).secret,
        account,
        domain,
        domain,
        passphrase,
        timeout=CHALLENGE_SECONDS,
    )


def claimed(transaction: str, seed: bytes, domain: str, passphrase: str) -> Proven:
    """Whom a challenge of ours is for, and its id; nothing about who signed it."""
    server = Keypair.from_raw_ed25519_seed(seed).public_key
    try:
        told = sep10.read_challenge_transaction(transaction, server, domain, domain, passphrase)
    except Exception as exc:  # The reader of XDR has no common exception: all refuse.
        raise LoginRefused("This is not a challenge of ours.") from exc
    if not StrKey.is_valid_ed25519_public_key(told.client_account_id):
        raise LoginRefused("This challenge is for no plain account.")
    return Proven(told.client_account_id, told.transaction.hash_hex())


def is_signed(transaction: str, seed: bytes, domain: str, passphrase: str, by: Signers) -> bool:
    known = [Ed25519PublicKeySigner(key, weight) for key, weight in by.weights.items()]
    server = Keypair.from_raw_ed25519_seed(seed).public_key
    try:
        sep10.verify_challenge_transaction_threshold(
            transaction, server, domain, domain, passphrase, by.threshold, known
        )
    except (SdkError, ValueError):
        return False
    return True


def _others(signers_: Iterable[xdr.Signer]) -> Iterable[tuple[str, int]]:
    for signer in signers_:
        if signer.key.type is _ED25519 and signer.key.ed25519 is not None:
            address = StrKey.encode_ed25519_public_key(signer.key.ed25519.uint256)
            yield address, signer.weight.uint32
