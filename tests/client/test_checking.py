"""A lying gateway gets no signature: every check, broken alone, is refused by its name."""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from apicharge_client import quotes
from apicharge_client.checking import Instruction, Order, check
from apicharge_client.documents import Document
from apicharge_client.errors import InstructionRefused
from apicharge_client.pins import Pin
from stellar_sdk import Asset, StrKey, scval

from tests.client import instructions
from tests.client.instructions import (
    ACCESS_KEY,
    BUYER,
    CONTRACT,
    ISSUER,
    LATEST_LEDGER,
    PASSPHRASE,
    PAYEE,
    PURCHASE_ID,
    SAC,
    SIGNER,
    STRANGER,
    TREASURY,
    Proposal,
    signed_quote,
    transfer,
)
from tests.vectors.contract import KNOWN
from tests.vectors.contract import PAID as VECTORS

PIN = Pin(bytes(SIGNER.verify_key).hex(), CONTRACT, PASSPHRASE, {"USDC": ISSUER})
AGREED = signed_quote()
OTHER = signed_quote(name="Hour pass", amount=2_500_001)
OTHER_CONTRACT = StrKey.encode_contract(b"\x99" * 32)
EURC = Asset("EURC", ISSUER).contract_id(PASSPHRASE)
PAID, FEE = 2_475_000, 25_000


def order(quote: dict[str, object] = AGREED) -> Order:
    parsed = quotes.parse(Document(quote, "quote"))
    quotes.verify(parsed, PIN)
    return Order(parsed, PIN, BUYER, ACCESS_KEY)


def signs(proposal: Proposal, *, latest: int | None = LATEST_LEDGER, **changes: object) -> bytes:
    document = Document({**proposal.document(), **changes}, "instruction")
    return check(Instruction.parse(document), order(proposal.quote), latest)


def refused(proposal: Proposal, *, latest: int | None = LATEST_LEDGER, **changes: object) -> str:
    document = Document({**proposal.document(), **changes}, "instruction")
    with pytest.raises(InstructionRefused) as refusal:
        check(Instruction.parse(document), order(), latest)
    assert "Nothing was signed" in refusal.value.hint
    return refusal.value.check


@pytest.mark.parametrize("bound", [False, True])
def test_honest_instruction_is_signed_for_its_preimage(bound: bool) -> None:
    proposal = Proposal(AGREED, bound=bound)
    assert signs(proposal) == hashlib.sha256(proposal.preimage()).digest()


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["label"])
def test_what_the_contract_takes_is_what_is_signed(vector: dict[str, Any]) -> None:
    issuers = {code: KNOWN["accounts"][f"issuer {code}"] for code in ("USDC", "EURC")}
    pin = Pin(KNOWN["signer"], KNOWN["contract"], KNOWN["passphrase"], issuers)
    quote = quotes.parse(Document(vector["quote"], "quote"))
    agreed = Order(quote, pin, KNOWN["buyer"], bytes.fromhex(KNOWN["access_key"]))
    document = {**vector, "id": KNOWN["purchase_id"]}
    until = document["valid_until_ledger"] = KNOWN["valid_until_ledger"]
    instruction = Instruction.parse(Document(document, "instruction"))
    assert check(instruction, agreed, until - 180).hex() == vector["authorization_to_sign"]


@pytest.mark.parametrize("bound", [False, True])
def test_without_a_fee_there_is_one_transfer(bound: bool) -> None:
    assert signs(Proposal(signed_quote(fee=0), bound=bound))


def test_whole_price_may_be_the_fee() -> None:
    assert signs(Proposal(signed_quote(fee=2_500_000)))


def argument(index: int, value: object) -> Callable[[Proposal], None]:
    def lie(proposal: Proposal) -> None:
        arguments = proposal.honest_arguments()
        arguments[index] = value  # type: ignore[call-overload]
        proposal.arguments = arguments

    return lie


def arguments(change: Callable[[list[object]], None]) -> Callable[[Proposal], None]:
    def lie(proposal: Proposal) -> None:
        changed = proposal.honest_arguments()
        change(changed)  # type: ignore[arg-type]
        proposal.arguments = changed

    return lie


def transfers(*calls: instructions.Call) -> Callable[[Proposal], None]:
    return lambda proposal: setattr(proposal, "transfers", list(calls))


def having(**fields: object) -> Callable[[Proposal], None]:
    def lie(proposal: Proposal) -> None:
        for name, value in fields.items():
            setattr(proposal, name, value)

    return lie


HONEST = (transfer(PAYEE, PAID), transfer(TREASURY, FEE))
LIES: dict[str, tuple[str, Callable[[Proposal], None]]] = {
    "public network": (
        "network",
        having(passphrase="Public Global Stellar Network ; September 2015"),
    ),
    "expiry 201 ahead": ("expiry", having(valid_until=LATEST_LEDGER + 201)),
    "expiry at the end of time": ("expiry", having(valid_until=2**32 - 1)),
    "expiry now": ("expiry", having(valid_until=LATEST_LEDGER)),
    "other contract": ("contract", having(contract=OTHER_CONTRACT)),
    "the asset's contract": ("contract", having(contract=SAC)),
    "other function": ("function", having(function="approve")),
    "function with a suffix": ("function", having(function="purchase2")),
    "other buyer": ("buyer", argument(0, scval.to_address(STRANGER))),
    "buyer is a contract": ("buyer", argument(0, scval.to_address(OTHER_CONTRACT))),
    "other quote": ("quote", argument(1, instructions.quote_arguments(OTHER))),
    "quote without its fields": ("quote", argument(1, scval.to_void())),
    "other signer": ("signer", argument(2, scval.to_bytes(b"\x07" * 32))),
    "other signature": (
        "signature",
        argument(3, scval.to_bytes(bytes.fromhex(str(OTHER["signature"])))),
    ),
    "other id": ("purchase id", argument(4, scval.to_bytes(b"\x08" * 32))),
    "other access key": ("access key", argument(5, scval.to_bytes(b"\x09" * 32))),
    "buyer's key as access key": (
        "access key",
        argument(5, scval.to_bytes(StrKey.decode_ed25519_public_key(BUYER))),
    ),
    "argument missing": ("arguments", arguments(lambda args: args.pop())),
    "argument extra": ("arguments", arguments(lambda args: args.append(scval.to_void()))),
    "no arguments": ("arguments", arguments(lambda args: args.clear())),
    "transfers missing": ("transfers", transfers()),
    "fee transfer missing": ("transfers", transfers(HONEST[0])),
    "payee transfer missing": ("transfers", transfers(HONEST[1])),
    "transfer extra": ("transfers", transfers(*HONEST, transfer(STRANGER, 1))),
    "transfer twice": ("transfers", transfers(HONEST[0], HONEST[0])),
    "transfers exchanged": ("transfers", transfers(HONEST[1], HONEST[0])),
    "payee other": ("transfers", transfers(transfer(STRANGER, PAID), HONEST[1])),
    "treasury other": ("transfers", transfers(HONEST[0], transfer(STRANGER, FEE))),
    "amount larger": ("transfers", transfers(transfer(PAYEE, PAID + 1), HONEST[1])),
    "whole price and the fee on top": (
        "transfers",
        transfers(transfer(PAYEE, 2_500_000), HONEST[1]),
    ),
    "fee split otherwise": (
        "transfers",
        transfers(transfer(PAYEE, PAID - 1), transfer(TREASURY, FEE + 1)),
    ),
    "amount negative": ("transfers", transfers(transfer(PAYEE, -PAID), HONEST[1])),
    "from another": ("transfers", transfers(transfer(PAYEE, PAID, buyer=STRANGER), HONEST[1])),
    "other asset": ("transfers", transfers(transfer(PAYEE, PAID, sac=EURC), HONEST[1])),
    "approve in place of transfer": (
        "transfers",
        transfers((SAC, "approve", HONEST[0][2]), HONEST[1]),
    ),
    "call under a transfer": ("transfers", having(nested=[transfer(STRANGER, 1)])),
}


@pytest.mark.parametrize("bound", [False, True], ids=["v1", "v2"])
@pytest.mark.parametrize("lie", LIES)
def test_tampered_preimage_is_refused_by_name(lie: str, bound: bool) -> None:
    expected, tell = LIES[lie]
    proposal = Proposal(AGREED, bound=bound)
    tell(proposal)
    assert refused(proposal) == expected


def test_preimage_bound_to_another_address_is_refused() -> None:
    assert refused(Proposal(AGREED, bound=True, bound_address=STRANGER)) == "address"


def test_hash_that_is_not_the_preimages_is_refused() -> None:
    assert refused(Proposal(AGREED), authorization_to_sign="00" * 32) == "hash"
    other = Proposal(OTHER).document()["authorization_to_sign"]
    assert refused(Proposal(AGREED), authorization_to_sign=other) == "hash"


def test_stated_expiry_is_that_of_the_preimage() -> None:
    assert refused(Proposal(AGREED), valid_until_ledger=LATEST_LEDGER + 99) == "expiry"
    assert refused(Proposal(AGREED), valid_until_ledger=None) == "expiry"


def test_without_a_latest_ledger_nothing_is_signed() -> None:
    assert refused(Proposal(AGREED), latest=None) == "expiry"


def test_latest_ledger_decides_and_not_what_the_gateway_says() -> None:
    assert refused(Proposal(AGREED), latest=LATEST_LEDGER - 101) == "expiry"
    assert refused(Proposal(AGREED), latest=LATEST_LEDGER + 100) == "expiry"


def test_instruction_for_another_id_is_refused() -> None:
    assert refused(Proposal(AGREED), id="11" * 32) == "purchase id"


@pytest.mark.parametrize("text", [None, "", "!", "AAAA", "AAAAAQ==", "é"])
def test_preimage_that_cannot_be_read_is_refused(text: str | None) -> None:
    digest = hashlib.sha256(base64.b64decode(text) if text in {"AAAA", "AAAAAQ=="} else b"")
    changes = {"preimage_xdr": text or None, "authorization_to_sign": digest.hexdigest()}
    assert refused(Proposal(AGREED), **changes) == "preimage"


def test_preimage_with_a_byte_more_is_refused() -> None:
    raw = Proposal(AGREED).preimage() + b"\0\0\0\0"
    changes = {
        "preimage_xdr": base64.b64encode(raw).decode(),
        "authorization_to_sign": hashlib.sha256(raw).hexdigest(),
    }
    assert refused(Proposal(AGREED), **changes) == "preimage"


@pytest.mark.parametrize("position", range(0, 1200, 7))
def test_any_flipped_byte_but_the_nonces_is_refused(position: int) -> None:
    raw = bytearray(Proposal(AGREED).preimage())
    position %= len(raw)
    if 36 <= position < 44:  # The nonce: the gateway's to choose.
        return
    raw[position] ^= 1
    changes = {
        "preimage_xdr": base64.b64encode(raw).decode(),
        "authorization_to_sign": hashlib.sha256(raw).hexdigest(),
    }
    assert refused(Proposal(AGREED), **changes)


FREE = signed_quote(amount=0, fee=0)


def free_hash(purchase_id: bytes = PURCHASE_ID, access_key: bytes = ACCESS_KEY) -> bytes:
    digest = bytes.fromhex(str(FREE["digest"]))
    return hashlib.sha256(b"apicharge-free-v1\0" + purchase_id + digest + access_key).digest()


def free(to_sign: bytes, preimage: str | None = None) -> bytes:
    instruction = Instruction(PURCHASE_ID, to_sign, preimage, None, None)
    return check(instruction, order(FREE), None)


def test_free_quote_is_signed_by_its_own_domain() -> None:
    assert free(free_hash()) == free_hash()


@pytest.mark.parametrize(
    "to_sign", [bytes(32), free_hash(b"\x01" * 32), free_hash(access_key=b"\x01" * 32)]
)
def test_free_purchase_of_something_else_is_refused(to_sign: bytes) -> None:
    with pytest.raises(InstructionRefused, match="free purchase"):
        free(to_sign)


def test_free_quote_with_a_preimage_is_refused() -> None:
    raw = Proposal(AGREED).preimage()
    with pytest.raises(InstructionRefused, match="no authorization on chain"):
        free(hashlib.sha256(raw).digest(), base64.b64encode(raw).decode())


def test_paid_quote_without_preimage_is_refused() -> None:
    # Else the hash of any transaction of the buyer's could be put there to sign.
    instruction = Instruction(PURCHASE_ID, b"\x01" * 32, None, 1, 1)
    with pytest.raises(InstructionRefused, match="no preimage"):
        check(instruction, order(), LATEST_LEDGER)


def test_pin_decides_the_network_and_the_contract() -> None:
    for pin in (replace(PIN, contract=OTHER_CONTRACT), replace(PIN, passphrase="other")):
        ordered = replace(order(), pin=pin)
        document = Document(Proposal(AGREED).document(), "instruction")
        with pytest.raises(InstructionRefused):
            check(Instruction.parse(document), ordered, LATEST_LEDGER)
