"""Quotes as the contract takes them, written by the tests themselves."""

import hashlib
from dataclasses import dataclass

from stellar_sdk import scval, xdr

from billing.sandbox.network import NETWORK_ID

DOMAIN = "apicharge_quote_v1"


@dataclass(frozen=True, slots=True)
class Quote:
    access_seconds: int
    amount: int
    asset: str
    expires_at: int
    fee: int
    payee: str
    terms: bytes
    treasury: str

    def to_scval(self) -> xdr.SCVal:
        return scval.to_struct(
            {
                "access_seconds": scval.to_uint64(self.access_seconds),
                "amount": scval.to_int128(self.amount),
                "asset": scval.to_address(self.asset),
                "expires_at": scval.to_uint64(self.expires_at),
                "fee": scval.to_int128(self.fee),
                "payee": scval.to_address(self.payee),
                "terms": scval.to_bytes(self.terms),
                "treasury": scval.to_address(self.treasury),
            }
        )

    def digest(self, contract: str) -> bytes:
        signed = scval.to_struct(
            {
                "contract": scval.to_address(contract),
                "domain": scval.to_symbol(DOMAIN),
                "network": scval.to_bytes(NETWORK_ID),
                "quote": self.to_scval(),
            }
        )
        return hashlib.sha256(signed.to_xdr_bytes()).digest()
