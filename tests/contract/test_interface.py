"""The committed wasm shows what servers, clients and auditors expect, and nothing more."""

import hashlib
import struct
from pathlib import Path

import pytest
from stellar_sdk import xdr
from xdrlib3 import Unpacker

from contract import interface
from tests.vectors.contract import KNOWN

FOLDER = Path(interface.__file__).parent
WASM = (FOLDER / "apicharge.wasm").read_bytes()
SIZE_MAX = 16 * 1024  # Its rent and each call's price grow with it.


def spec() -> list[xdr.SCSpecEntry]:
    unpacker = Unpacker(interface.of(WASM).spec)
    told = []
    while unpacker.get_position() < len(unpacker.get_buffer()):
        told.append(xdr.SCSpecEntry.unpack(unpacker))
    return told


@pytest.mark.parametrize("name", ["apicharge.wasm", "token.wasm"])
def test_wasm_is_the_one_whose_hash_is_known(name: str) -> None:
    wasm = (FOLDER / name).read_bytes()
    known = (FOLDER / f"{name}.sha256").read_text()
    assert known == f"{hashlib.sha256(wasm).hexdigest()}  {name}\n"
    assert len(wasm) <= SIZE_MAX


def test_functions_are_these_and_none_moves_funds_or_changes_the_code() -> None:
    governing = {"set_paused", "set_signer", "set_token", "propose_admin", "accept_admin"}
    telling = {"admin", "is_paused", "is_signer", "is_token", "is_used"}
    functions = {"__constructor", "purchase", *governing, *telling}
    named = {entry.function_v0.name.sc_symbol.decode() for entry in spec() if entry.function_v0}
    assert named == functions
    # The SDK's linker adds `_`, which says which interface of the host was linked.
    assert set(interface.of(WASM).exports) - {"_"} == functions


def test_arguments_of_a_purchase_are_those_of_the_protocol() -> None:
    functions = [entry.function_v0 for entry in spec() if entry.function_v0]
    purchase = next(each for each in functions if each.name.sc_symbol == b"purchase")
    assert [argument.name.decode() for argument in purchase.inputs] == [
        "buyer",
        "quote",
        "signer",
        "signature",
        "purchase_id",
        "access_key",
    ]


def test_errors_are_those_of_the_vectors() -> None:
    enums = [entry.udt_error_enum_v0 for entry in spec() if entry.udt_error_enum_v0]
    assert len(enums) == 1
    told = {case.name.decode(): case.value.uint32 for case in enums[0].cases}
    assert told == KNOWN["errors"]


def test_protocol_that_it_needs_is_one_that_networks_have_passed() -> None:
    kind, protocol, pre_release = struct.unpack(">III", interface.of(WASM).environment)
    assert (kind, protocol, pre_release) == (0, 27, 0)


@pytest.mark.parametrize("wasm", [b"", b"\0asm\2\0\0\0", WASM[1:]])
def test_what_is_no_module_is_refused(wasm: bytes) -> None:
    with pytest.raises(ValueError, match="not a wasm module"):
        interface.of(wasm)
