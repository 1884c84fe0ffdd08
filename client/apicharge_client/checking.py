"""What is compared before a purchase is signed. Whatever is not exactly agreed is refused.

The signature authorises the invocation in the preimage and nothing else, so the preimage is read
and compared field by field, which says what is wrong, and at last rebuilt from what we know and
compared byte by byte, which leaves nothing out. Only the nonce is the gateway's to choose.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from stellar_sdk import Address, scval, xdr

from apicharge_client.documents import Document, decode
from apicharge_client.errors import InstructionRefused
from apicharge_client.pins import Pin
from apicharge_client.quotes import Quote

LEDGERS_AHEAD_MAX = 200
FREE_DOMAIN = b"apicharge-free-v1\0"
ARGUMENTS = ("buyer", "quote", "signer", "signature", "purchase id", "access key")


@dataclass(frozen=True, slots=True)
class Order:
    """What the buyer agreed to."""

    quote: Quote
    pin: Pin
    buyer: str
    access_key: bytes


@dataclass(frozen=True, slots=True)
class Instruction:
    id: bytes
    to_sign: bytes
    preimage: str | None
    valid_until_ledger: int | None
    latest_ledger: int | None

    @staticmethod
    def parse(document: Document) -> "Instruction":
        return Instruction(
            id=document.hex("id", 32),
            to_sign=document.hex("authorization_to_sign", 32),
            preimage=document.optional_text("preimage_xdr"),
            valid_until_ledger=document.optional_integer("valid_until_ledger"),
            latest_ledger=document.optional_integer("latest_ledger"),
        )


def check(instruction: Instruction, order: Order, latest_ledger: int | None) -> bytes:
    """The 32 bytes to sign. Raises `InstructionRefused` for anything that was not agreed."""
    if order.quote.amount == 0:
        return _check_free(instruction, order)
    raw = _preimage(instruction)
    if hashlib.sha256(raw).digest() != instruction.to_sign:
        raise InstructionRefused("hash", "the hash to sign is not the preimage's.")
    signed = _readable(raw)
    _check_envelope(signed, order, instruction, latest_ledger)
    _check_call(signed.invocation, order, instruction.id)
    _check_transfers(signed.invocation.sub_invocations, order)
    if signed.rebuilt(order, instruction.id).to_xdr_bytes() != raw:
        raise InstructionRefused("bytes", "the preimage is not what was agreed, byte by byte.")
    return instruction.to_sign


@dataclass(frozen=True, slots=True)
class _Signed:
    """Both kinds of preimage (CAP-71: the second binds the address too)."""

    preimage: xdr.HashIDPreimage
    network: bytes
    nonce: int
    expires: int
    invocation: xdr.SorobanAuthorizedInvocation
    address: str | None

    def rebuilt(self, order: Order, purchase_id: bytes) -> xdr.HashIDPreimage:
        network = xdr.Hash(_network(order.pin))
        nonce, expires = xdr.Int64(self.nonce), xdr.Uint32(self.expires)
        tree = agreed_invocation(order, purchase_id)
        if self.address is None:
            return xdr.HashIDPreimage(
                self.preimage.type,
                soroban_authorization=xdr.HashIDPreimageSorobanAuthorization(
                    network, nonce, expires, tree
                ),
            )
        return xdr.HashIDPreimage(
            self.preimage.type,
            soroban_authorization_with_address=xdr.HashIDPreimageSorobanAuthorizationWithAddress(
                network, nonce, expires, Address(order.buyer).to_xdr_sc_address(), tree
            ),
        )


def agreed_invocation(order: Order, purchase_id: bytes) -> xdr.SorobanAuthorizedInvocation:
    """The one call, with its transfers, that the buyer agrees to."""
    call = _call(order.pin.contract, "purchase", agreed_arguments(order, purchase_id))
    return xdr.SorobanAuthorizedInvocation(call, agreed_transfers(order))


def agreed_arguments(order: Order, purchase_id: bytes) -> list[xdr.SCVal]:
    return [
        scval.to_address(order.buyer),
        order.quote.scval(),
        scval.to_bytes(bytes.fromhex(order.pin.signer)),
        scval.to_bytes(order.quote.signature),
        scval.to_bytes(purchase_id),
        scval.to_bytes(order.access_key),
    ]


def agreed_transfers(order: Order) -> list[xdr.SorobanAuthorizedInvocation]:
    quote = order.quote
    payments = [(quote.payee, quote.amount - quote.fee)]
    if quote.fee:
        payments.append((quote.treasury, quote.fee))
    return [
        xdr.SorobanAuthorizedInvocation(
            _call(
                quote.sac,
                "transfer",
                [scval.to_address(order.buyer), scval.to_address(to), scval.to_int128(amount)],
            ),
            [],
        )
        for to, amount in payments
    ]


def _check_free(instruction: Instruction, order: Order) -> bytes:
    if instruction.preimage is not None:
        raise InstructionRefused("free", "a free quote needs no authorization on chain.")
    message = FREE_DOMAIN + instruction.id + order.quote.digest + order.access_key
    if hashlib.sha256(message).digest() != instruction.to_sign:
        raise InstructionRefused("hash", "the hash to sign is not that of this free purchase.")
    return instruction.to_sign


def _preimage(instruction: Instruction) -> bytes:
    if instruction.preimage is None:
        raise InstructionRefused("preimage", "there is no preimage to check.")
    try:
        return decode(instruction.preimage)
    except ValueError as exc:
        raise InstructionRefused("preimage", "the preimage is not base64.") from exc


def _readable(raw: bytes) -> _Signed:
    try:
        preimage = xdr.HashIDPreimage.from_xdr_bytes(raw)
    except Exception as exc:  # The reader has no common exception: all refuse.
        raise InstructionRefused("preimage", "the preimage is not XDR.") from exc
    if body := preimage.soroban_authorization_with_address:
        address: str | None = Address.from_xdr_sc_address(body.address).address
        common: xdr.HashIDPreimageSorobanAuthorization = body  # type: ignore[assignment]
    elif preimage.soroban_authorization:
        address, common = None, preimage.soroban_authorization
    else:
        raise InstructionRefused("preimage", "the preimage is not that of an authorization.")
    return _Signed(
        preimage=preimage,
        network=common.network_id.hash,
        nonce=common.nonce.int64,
        expires=common.signature_expiration_ledger.uint32,
        invocation=common.invocation,
        address=address,
    )


def _check_envelope(
    signed: _Signed, order: Order, instruction: Instruction, latest_ledger: int | None
) -> None:
    if signed.network != _network(order.pin):
        raise InstructionRefused("network", "it is for another network.")
    if signed.address not in {None, order.buyer}:
        raise InstructionRefused("address", f"it authorises for {signed.address}.")
    if instruction.valid_until_ledger != signed.expires:
        raise InstructionRefused("expiry", "it expires at another ledger than it says.")
    if latest_ledger is None:
        raise InstructionRefused(
            "expiry", "nobody says which ledger is the latest; state a network node with --rpc."
        )
    if not latest_ledger < signed.expires <= latest_ledger + LEDGERS_AHEAD_MAX:
        ahead = signed.expires - latest_ledger
        raise InstructionRefused(
            "expiry", f"it expires {ahead} ledgers ahead, not 1 to {LEDGERS_AHEAD_MAX}."
        )


def _check_call(
    invocation: xdr.SorobanAuthorizedInvocation, order: Order, purchase_id: bytes
) -> None:
    call = invocation.function.contract_fn
    if call is None:
        raise InstructionRefused("function", "it is not the call of a contract.")
    contract = Address.from_xdr_sc_address(call.contract_address).address
    if contract != order.pin.contract:
        raise InstructionRefused("contract", f"it calls {contract}, not the pinned contract.")
    if call.function_name.sc_symbol != b"purchase":
        raise InstructionRefused("function", "it calls another function than purchase.")
    agreed = agreed_arguments(order, purchase_id)
    if len(call.args) != len(agreed):
        raise InstructionRefused("arguments", f"it has {len(call.args)} arguments.")
    for name, argument, expected in zip(ARGUMENTS, call.args, agreed, strict=True):
        if argument.to_xdr_bytes() != expected.to_xdr_bytes():
            raise InstructionRefused(name, f"it is for another {name}.")


def _check_transfers(subs: Sequence[xdr.SorobanAuthorizedInvocation], order: Order) -> None:
    agreed = agreed_transfers(order)
    if len(subs) != len(agreed):
        raise InstructionRefused(
            "transfers", f"it makes {len(subs)} calls of its own, not {len(agreed)}."
        )
    for sub, expected in zip(subs, agreed, strict=True):
        if sub.to_xdr_bytes() != expected.to_xdr_bytes():
            raise InstructionRefused("transfers", "it moves money otherwise than the quote says.")


def _call(contract: str, function: str, args: list[xdr.SCVal]) -> xdr.SorobanAuthorizedFunction:
    return xdr.SorobanAuthorizedFunction(
        xdr.SorobanAuthorizedFunctionType.SOROBAN_AUTHORIZED_FUNCTION_TYPE_CONTRACT_FN,
        contract_fn=xdr.InvokeContractArgs(
            contract_address=Address(contract).to_xdr_sc_address(),
            function_name=xdr.SCSymbol(function.encode()),
            args=args,
        ),
    )


def _network(pin: Pin) -> bytes:
    return hashlib.sha256(pin.passphrase.encode()).digest()
