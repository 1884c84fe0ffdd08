"""Whose signatures an account accepts, and for how much."""

from stellar_sdk import StrKey, xdr

from billing.sandbox import entries

SIGNATURES_MAX = 20


def weights(account: xdr.AccountEntry) -> dict[bytes, int]:
    """Weight by ed25519 public key; the account's own key among them."""
    own = StrKey.decode_ed25519_public_key(entries.name_of(account.account_id))
    held = {own: account.thresholds.thresholds[0]}
    for signer in account.signers:
        if signer.key.ed25519 is not None:
            held[signer.key.ed25519.uint256] = signer.weight.uint32
    return {key: weight for key, weight in held.items() if weight > 0}


def low_threshold(account: xdr.AccountEntry) -> int:
    return account.thresholds.thresholds[1]


def medium_threshold(account: xdr.AccountEntry) -> int:
    return account.thresholds.thresholds[2]
