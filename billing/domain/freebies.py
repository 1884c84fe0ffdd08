"""Free quotes (amount 0): nothing is paid, so the buyer's signature over the purchase is all that
is asked.

Protocol.md section 1: sha256("apicharge-free-v1\\0" ‖ id ‖ digest ‖ access_key).
"""

import hashlib

DOMAIN = b"apicharge-free-v1\0"
# A free grant costs its provider calls. These are a day's worth for one who means to use the
# service.
GRANTS_PER_BUYER_DAY = 5
GRANTS_PER_NETWORK_DAY = 50
DAY_SECONDS = 86_400


def signing_hash(purchase_id: bytes, digest: bytes, access_key: bytes) -> bytes:
    if not len(purchase_id) == len(digest) == len(access_key) == 32:
        raise ValueError("purchase id, digest and access key have 32 bytes each")
    return hashlib.sha256(DOMAIN + purchase_id + digest + access_key).digest()


def wallet_text(hash_to_sign: bytes) -> str:
    """What is signed, as SEP-53 has it, by wallets that sign texts alone."""
    return f"Free access: nothing is paid.\napicharge-free-v1 {hash_to_sign.hex()}"


def exceeded(*, by_buyer: int, by_network: int) -> str | None:
    """Which daily limit one more free grant would break."""
    if by_buyer >= GRANTS_PER_BUYER_DAY:
        return f"A buyer gets at most {GRANTS_PER_BUYER_DAY} free grants a day."
    if by_network >= GRANTS_PER_NETWORK_DAY:
        return f"A network gets at most {GRANTS_PER_NETWORK_DAY} free grants a day."
    return None
