"""Writes authorizations.json from protocol.md §1 and the network's XDR: no code under test.

Run `python -m tests.vectors.authorizations_by_hand`; a test says when the file no longer agrees.
"""

import base64
import hashlib
import json
import struct
from pathlib import Path
from typing import Any

from nacl.signing import SigningKey

from tests.vectors.quotes_by_hand import (
    CONTRACT,
    NETWORK,
    account,
    address,
    bytes_n,
    document,
    i128,
    mapping,
    opaque,
    raw,
    seed,
    symbol,
)

PATH = Path(__file__).with_name("authorizations.json")
NONCE = -(2**63) + 7
VALID_UNTIL = 1180
PURCHASE_ID = bytes(range(32))
ACCESS_KEY = bytes(range(32, 64))
SIGNER = bytes(SigningKey(seed("quote vectors")).verify_key)


def sc_address(text: str) -> bytes:
    """SCAddress, without the SCVal around it."""
    return address(text)[4:]


def invocation(contract: str, function: str, args: list[bytes], below: list[bytes]) -> bytes:
    call = sc_address(contract) + opaque(function.encode())
    call += struct.pack(">I", len(args)) + b"".join(args)
    return struct.pack(">I", 0) + call + struct.pack(">I", len(below)) + b"".join(below)


def entry(buyer: str, signature: bytes, root: bytes) -> bytes:
    credentials = struct.pack(">I", 1) + sc_address(buyer)
    return credentials + struct.pack(">qI", NONCE, VALID_UNTIL) + signature + root


def signed(key: bytes, signature: bytes) -> bytes:
    """ScVal: a vector of one map {public_key, signature}."""
    fields = {"public_key": bytes_n(key), "signature": bytes_n(signature)}
    return struct.pack(">III", 16, 1, 1) + mapping(fields)


def vector(known: dict[str, Any]) -> dict[str, Any]:
    quote, buyer_seed = known["quote"], seed("vector buyer")
    buyer = account("vector buyer")
    amount, fee = int(quote["price"]["amount"]), int(quote["fee"])
    sac = quote["price"]["sac"]

    def transfer(to: str, moved: int) -> bytes:
        return invocation(sac, "transfer", [address(buyer), address(to), i128(moved)], [])

    args = [
        address(buyer),
        bytes.fromhex(known["quote_xdr"]),
        bytes_n(SIGNER),
        bytes_n(bytes.fromhex(quote["signature"])),
        bytes_n(PURCHASE_ID),
        bytes_n(ACCESS_KEY),
    ]
    transfers = [transfer(quote["payee"], amount - fee)]
    if fee:
        transfers.append(transfer(quote["treasury"], fee))
    root = invocation(CONTRACT, "purchase", args, transfers)
    preimage = struct.pack(">I", 9) + NETWORK + struct.pack(">qI", NONCE, VALID_UNTIL) + root
    message = hashlib.sha256(preimage).digest()
    signature = SigningKey(buyer_seed).sign(message).signature
    unsigned = entry(buyer, struct.pack(">I", 1), root)
    digest = bytes.fromhex(quote["digest"])
    topics = [symbol("purchased"), address(buyer), address(quote["payee"]), bytes_n(digest)]
    data = mapping(
        {
            "access_key": bytes_n(ACCESS_KEY),
            "amount": i128(amount),
            "asset": address(sac),
            "fee": i128(fee),
            "purchase_id": bytes_n(PURCHASE_ID),
            "terms": bytes_n(bytes.fromhex(quote["terms"])),
            "treasury": address(quote["treasury"]),
        }
    )
    return {
        "label": known["label"],
        "quote": quote,
        "preimage_xdr": b64(preimage),
        "authorization_to_sign": message.hex(),
        "entry_xdr": b64(unsigned),
        "signature": signature.hex(),
        "signed_entry_xdr": b64(entry(buyer, signed(raw(buyer), signature), root)),
        "event_topics": [b64(topic) for topic in topics],
        "event_data": b64(data),
    }


def b64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def authorizations() -> dict[str, Any]:
    sold = [known for known in document()["vectors"] if known["quote"]["price"]["amount"] != "0"]
    return {
        "buyer": account("vector buyer"),
        "buyer_seed": seed("vector buyer").hex(),
        "signer": SIGNER.hex(),
        "nonce": str(NONCE),
        "valid_until_ledger": VALID_UNTIL,
        "purchase_id": PURCHASE_ID.hex(),
        "access_key": ACCESS_KEY.hex(),
        "vectors": [vector(known) for known in sold],
    }


def rendered() -> str:
    return json.dumps(authorizations(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PATH.write_text(rendered())
