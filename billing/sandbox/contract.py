"""The purchase contract in Python, until the committed wasm takes its place behind the same door.

`purchase(buyer, quote, signer, signature, purchase_id, access_key)` checks, in this order: the
buyer's authorization, not paused, amounts, asset, parties and times of the quote, its signer and
signature, that (buyer, purchase_id) is new; then it pays and tells. It never holds funds. What the
signer signed is built anew from the parsed quote, never taken from the caller.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from stellar_sdk import scval, xdr

from billing.sandbox import entries, network
from billing.sandbox.entries import Durability
from billing.sandbox.host import Host
from billing.sandbox.hosterrors import Code, HostError, Kind
from gateway.domain import ed25519

FEE_CAP_BPS = 1_000
AMOUNT_MAX = 2**63 - 1
QUOTE_TTL_MAX_S = 24 * 3600
DOMAIN = "apicharge_quote_v1"
# The used key outlives the quote: longer than a quote may live, at one ledger a second.
USED_TTL_LEDGERS = 2 * QUOTE_TTL_MAX_S
EXECUTABLE = xdr.ContractExecutable(
    xdr.ContractExecutableType.CONTRACT_EXECUTABLE_WASM,
    wasm_hash=xdr.Hash(hashlib.sha256(b"apicharge sandbox purchase contract in python").digest()),
)


class Refusal(IntEnum):
    PAUSED = 1
    INVALID_AMOUNT = 2
    FEE_TOO_HIGH = 3
    TOKEN_NOT_ALLOWED = 4
    QUOTE_EXPIRED = 5
    QUOTE_TOO_LONG = 6
    UNKNOWN_SIGNER = 7
    ALREADY_USED = 8
    PAYEE_IS_BUYER = 10
    PAYEE_IS_CONTRACT = 11


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

    @classmethod
    def parse(cls, value: xdr.SCVal) -> "Quote":
        fields = _fields(value)
        if set(fields) != set(cls.__slots__):
            raise ValueError("the quote's fields are not those of a quote")
        quote = cls(
            access_seconds=scval.from_uint64(fields["access_seconds"]),
            amount=scval.from_int128(fields["amount"]),
            asset=scval.from_address(fields["asset"]).address,
            expires_at=scval.from_uint64(fields["expires_at"]),
            fee=scval.from_int128(fields["fee"]),
            payee=scval.from_address(fields["payee"]).address,
            terms=_bytes(fields["terms"], 32),
            treasury=scval.from_address(fields["treasury"]).address,
        )
        if quote.to_scval() != value:  # A key twice, or keys out of order.
            raise ValueError("the quote is not in its one canonical form")
        return quote

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
                "network": scval.to_bytes(network.NETWORK_ID),
                "quote": self.to_scval(),
            }
        )
        return hashlib.sha256(signed.to_xdr_bytes()).digest()


@dataclass(frozen=True, slots=True)
class Purchase:
    buyer: str
    quote: Quote
    signer: bytes
    signature: bytes
    purchase_id: bytes
    access_key: bytes

    @classmethod
    def parse(cls, args: Sequence[xdr.SCVal]) -> "Purchase":
        buyer, quote, signer, signature, purchase_id, access_key = args
        return cls(
            scval.from_address(buyer).address,
            Quote.parse(quote),
            _bytes(signer, 32),
            _bytes(signature, 64),
            _bytes(purchase_id, 32),
            _bytes(access_key, 32),
        )


class PurchaseContract:
    def call(
        self, host: Host, instance: xdr.SCContractInstance, function: str, args: Sequence[xdr.SCVal]
    ) -> xdr.SCVal:
        if function != "purchase":
            raise HostError(
                Kind.SCE_WASM_VM,
                Code.SCEC_MISSING_VALUE,
                "trying to invoke non-existent contract function",
                scval.to_symbol(function),
            )
        try:
            purchase = Purchase.parse(args)
        except ValueError as problem:
            raise HostError(
                Kind.SCE_WASM_VM,
                Code.SCEC_INVALID_ACTION,
                f"VM call trapped: UnreachableCodeReached ({problem})",
            ) from problem
        host.require_auth(purchase.buyer)
        if scval.from_bool(_setting(instance, "Paused")):
            raise _refused(Refusal.PAUSED)
        _check_terms(host, purchase)
        digest = purchase.quote.digest(host.contract)
        _check_signature(host, purchase, digest)
        _use_once(host, purchase)
        _pay(host, purchase)
        _tell(host, purchase, digest)
        return scval.to_bytes(digest)


def instance() -> xdr.SCVal:
    settings = [xdr.SCMapEntry(_key("Paused"), scval.to_bool(False))]
    return entries.new_instance(EXECUTABLE, xdr.SCMap(settings))


def signer_key(signer: bytes) -> xdr.SCVal:
    return _key("Signer", scval.to_bytes(signer))


def token_key(asset: str) -> xdr.SCVal:
    return _key("Token", scval.to_address(asset))


def used_key(buyer: str, purchase_id: bytes) -> xdr.SCVal:
    return _key("Used", scval.to_address(buyer), scval.to_bytes(purchase_id))


def _check_terms(host: Host, purchase: Purchase) -> None:
    quote = purchase.quote
    now = host.closing.close_time
    if not 0 < quote.amount <= AMOUNT_MAX or quote.fee < 0:
        raise _refused(Refusal.INVALID_AMOUNT)
    if quote.fee * 10_000 > quote.amount * FEE_CAP_BPS:
        raise _refused(Refusal.FEE_TOO_HIGH)
    if host.stored(token_key(quote.asset), Durability.PERSISTENT) is None:
        raise _refused(Refusal.TOKEN_NOT_ALLOWED)
    if quote.payee == purchase.buyer:
        raise _refused(Refusal.PAYEE_IS_BUYER)
    if host.contract in {quote.payee, quote.treasury}:
        raise _refused(Refusal.PAYEE_IS_CONTRACT)
    if now > quote.expires_at:
        raise _refused(Refusal.QUOTE_EXPIRED)
    if quote.expires_at > now + QUOTE_TTL_MAX_S:
        raise _refused(Refusal.QUOTE_TOO_LONG)


def _check_signature(host: Host, purchase: Purchase, digest: bytes) -> None:
    if host.stored(signer_key(purchase.signer), Durability.PERSISTENT) is None:
        raise _refused(Refusal.UNKNOWN_SIGNER)
    if not ed25519.verify(purchase.signer, digest, purchase.signature):
        raise HostError(Kind.SCE_CRYPTO, Code.SCEC_INVALID_INPUT, "failed ED25519 verification")


def _use_once(host: Host, purchase: Purchase) -> None:
    key = used_key(purchase.buyer, purchase.purchase_id)
    if host.stored(key, Durability.TEMPORARY) is not None:
        raise _refused(Refusal.ALREADY_USED)
    live_until = host.closing.sequence + USED_TTL_LEDGERS
    host.store(key, scval.to_bool(True), Durability.TEMPORARY, live_until)


def _pay(host: Host, purchase: Purchase) -> None:
    quote = purchase.quote
    shares = [(quote.payee, quote.amount - quote.fee), (quote.treasury, quote.fee)]
    for payee, amount in shares:
        if amount > 0:
            accounts = scval.to_address(purchase.buyer), scval.to_address(payee)
            host.call(quote.asset, "transfer", *accounts, scval.to_int128(amount))


def _tell(host: Host, purchase: Purchase, digest: bytes) -> None:
    quote = purchase.quote
    topics = [
        scval.to_symbol("purchased"),
        scval.to_address(purchase.buyer),
        scval.to_address(quote.payee),
        scval.to_bytes(digest),
    ]
    data = {
        "access_key": scval.to_bytes(purchase.access_key),
        "amount": scval.to_int128(quote.amount),
        "asset": scval.to_address(quote.asset),
        "fee": scval.to_int128(quote.fee),
        "purchase_id": scval.to_bytes(purchase.purchase_id),
        "terms": scval.to_bytes(quote.terms),
        "treasury": scval.to_address(quote.treasury),
    }
    host.emit(topics, scval.to_struct(data))


def _refused(refusal: Refusal) -> HostError:
    return HostError(
        Kind.SCE_CONTRACT,
        int(refusal),
        "escalating error to VM trap from failed host function call: fail_with_error",
    )


def _setting(instance: xdr.SCContractInstance, name: str) -> xdr.SCVal:
    assert instance.storage is not None
    wanted = _key(name)
    return next(entry.val for entry in instance.storage.sc_map if entry.key == wanted)


def _key(name: str, *values: xdr.SCVal) -> xdr.SCVal:
    return scval.to_vec([scval.to_symbol(name), *values])


def _fields(value: xdr.SCVal) -> dict[str, xdr.SCVal]:
    # Not scval.from_struct: it hashes the keys, and some values have no hash.
    if value.map is None:
        raise ValueError("a map is expected")
    return {scval.from_symbol(entry.key): entry.val for entry in value.map.sc_map}


def _bytes(value: xdr.SCVal, length: int) -> bytes:
    raw = scval.from_bytes(value)
    if len(raw) != length:
        raise ValueError(f"{length} bytes expected, not {len(raw)}")
    return raw
