"""Writes quotes.json from protocol.md §1 with struct, json and base64: no code under test.

Run `python tests/vectors/quotes_by_hand.py`; a test says when the file no longer agrees.
"""

import base64
import hashlib
import json
import struct
from pathlib import Path
from typing import Any

from nacl.signing import SigningKey

PASSPHRASE = "Test SDF Network ; September 2015"
NETWORK = hashlib.sha256(PASSPHRASE.encode()).digest()
PATH = Path(__file__).with_name("quotes.json")


def crc16(data: bytes) -> bytes:
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1) ^ 0x1021 if crc & 0x8000 else crc << 1
            crc &= 0xFFFF
    return struct.pack("<H", crc)


def strkey(version: int, raw: bytes) -> str:
    body = bytes([version]) + raw
    return base64.b32encode(body + crc16(body)).decode().rstrip("=")


def raw(address: str) -> bytes:
    return base64.b32decode(address)[1:33]


def seed(label: str) -> bytes:
    return hashlib.sha256(b"apicharge sandbox " + label.encode()).digest()


def account(label: str) -> str:
    return strkey(6 << 3, bytes(SigningKey(seed(label)).verify_key))


def opaque(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data + b"\0" * (-len(data) % 4)


def sac(code: str, issuer: str) -> str:
    """sha256 of HashIDPreimage{CONTRACT_ID, network, PREIMAGE_FROM_ASSET, alphanum4}."""
    asset = struct.pack(">I", 1) + code.encode() + struct.pack(">I", 0) + raw(issuer)
    preimage = struct.pack(">I", 8) + NETWORK + struct.pack(">I", 1) + asset
    return strkey(2 << 3, hashlib.sha256(preimage).digest())


def address(text: str) -> bytes:
    if text[0] == "G":
        return struct.pack(">III", 18, 0, 0) + raw(text)
    return struct.pack(">II", 18, 1) + raw(text)


def u64(value: int) -> bytes:
    return struct.pack(">IQ", 5, value)


def i128(value: int) -> bytes:
    return struct.pack(">IqQ", 10, value >> 64, value & (2**64 - 1))


def bytes_n(value: bytes) -> bytes:
    return struct.pack(">I", 13) + opaque(value)


def symbol(text: str) -> bytes:
    return struct.pack(">I", 15) + opaque(text.encode())


def mapping(entries: dict[str, bytes]) -> bytes:
    pairs = b"".join(symbol(key) + entries[key] for key in sorted(entries))
    return struct.pack(">III", 17, 1, len(entries)) + pairs


def jcs(value: object) -> bytes:
    """Enough of RFC 8785 for ASCII keys and integers."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def vector(label: str, quote: dict[str, Any]) -> dict[str, Any]:
    named = ("access_seconds", "adjustable", "charge", "limits", "meter", "route", "starts")
    canonical = jcs({key: quote[key] for key in named})
    terms = hashlib.sha256(canonical).digest()
    inner = mapping(
        {
            "access_seconds": u64(quote["access_seconds"]),
            "amount": i128(int(quote["price"]["amount"])),
            "asset": address(quote["price"]["sac"]),
            "expires_at": u64(quote["expires_at"]),
            "fee": i128(int(quote["fee"])),
            "payee": address(quote["payee"]),
            "terms": bytes_n(terms),
            "treasury": address(quote["treasury"]),
        }
    )
    envelope = mapping(
        {
            "contract": address(CONTRACT),
            "domain": symbol("apicharge_quote_v1"),
            "network": bytes_n(NETWORK),
            "quote": inner,
        }
    )
    digest = hashlib.sha256(envelope).digest()
    signature = SigningKey(seed("quote vectors")).sign(digest).signature
    return {
        "label": label,
        "terms_jcs": canonical.decode(),
        "quote_xdr": inner.hex(),
        "envelope_xdr": envelope.hex(),
        "quote": quote
        | {"digest": digest.hex(), "terms": terms.hex(), "signature": signature.hex()},
    }


CONTRACT = strkey(2 << 3, seed("contract"))


def price(code: str, amount: int) -> dict[str, str]:
    issuer = account(f"issuer {code}")
    return {"amount": str(amount), "asset": code, "issuer": issuer, "sac": sac(code, issuer)}


def document() -> dict[str, Any]:
    provider = account("vector provider")
    plain = {
        "route": "weather/forecast",
        "name": "Hour pass",
        "price": price("USDC", 2_500_000),
        "payee": provider,
        "fee": "0",
        "treasury": provider,
        "access_seconds": 3600,
        "starts": "purchase",
        "charge": "success",
        "adjustable": False,
        "meter": None,
        "limits": [{"kind": "calls", "count": 1000, "window_seconds": None}],
        "expires_at": 1_790_000_000,
    }
    wide = plain | {
        "route": "files/download",
        "name": "Månad — 月",
        "price": price("EURC", 2**63 - 1),
        "fee": "92233720368547758",
        "treasury": account("vector treasury"),
        "access_seconds": 2**53 - 1,
        "starts": "first_use",
        "charge": "always",
        "adjustable": True,
        "meter": {"kind": "openai", "note": 'naïve "quoted" \\ back'},
        "limits": [
            {"kind": "data", "direction": "down", "bytes": 10_000_000, "window_seconds": None},
            {"kind": "calls", "count": 5, "window_seconds": 86_400},
        ],
        "expires_at": 2**53 - 1,
    }
    free = plain | {"name": "Trial", "price": price("USDC", 0), "limits": []}
    return {
        "passphrase": PASSPHRASE,
        "contract": CONTRACT,
        "seed": seed("quote vectors").hex(),
        "signer": bytes(SigningKey(seed("quote vectors")).verify_key).hex(),
        "accounts": {
            label: account(label) for label in ("issuer USDC", "issuer EURC", "friendbot")
        },
        "vectors": [vector("plain", plain), vector("wide", wide), vector("free", free)],
    }


def rendered() -> str:
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PATH.write_text(rendered())
