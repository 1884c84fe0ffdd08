"""Whatever a module does: it answers, or it fails with an error of the host, within bounds."""

from pathlib import Path

import pytest
import wasmtime
from stellar_sdk import StrKey, scval, xdr

from billing.sandbox import entries
from billing.sandbox.auth import Enforcing
from billing.sandbox.host import Closing, Host
from billing.sandbox.hosterrors import HostError
from billing.sandbox.machine import WasmContract
from billing.sandbox.programs import program_of
from billing.sandbox.state import State, View

CONTRACT = StrKey.encode_contract(bytes([12]) * 32)
HASH = bytes([13]) * 32
MODULE = """
(module
  (import "x" "4" (func $timestamp (result i64)))
  (import "v" "g" (func $new_vec (param i64 i64) (result i64)))
  (import "b" "j" (func $new_symbol (param i64 i64) (result i64)))
  (import "l" "_" (func $put (param i64 i64 i64) (result i64)))
  (import "l" "1" (func $get (param i64 i64) (result i64)))
  (import "l" "2" (func $remove (param i64 i64) (result i64)))
  (import "l" "7" (func $extend (param i64 i64 i64 i64) (result i64)))
  (memory (export "memory") 1)
  (data (i32.const 8) "a_longer_symbol")
  (func (export "same") (param i64) (result i64) local.get 0)
  (func (export "now") (result i64) call $timestamp)
  (func (export "trap") (result i64) unreachable)
  (func (export "divide") (result i64) (i64.div_u (i64.const 1) (i64.const 0)))
  (func $deeper (export "deeper") (result i64) (i64.add (call $deeper) (i64.const 1)))
  (func (export "forever") (result i64) (loop (br 0)) i64.const 2)
  (func (export "ask") (result i64) (loop (drop (call $timestamp)) (br 0)) i64.const 2)
  (func (export "grow") (result i64)
    (select (i64.const 1) (i64.const 0)
      (i32.eq (memory.grow (i32.const 1000)) (i32.const -1))))
  (func (export "outside") (result i64) (i64.load (i32.const 65536)))
  (func (export "vec_outside") (result i64)
    (call $new_vec (i64.const 0xfff800000004) (i64.const 0x200000004)))
  (func (export "long_symbol") (result i64)
    (call $new_symbol (i64.const 0x800000004) (i64.const 0x2100000004)))
  (func (export "symbol") (result i64)
    (call $new_symbol (i64.const 0x800000004) (i64.const 0xf00000004)))
  (func (export "foreign") (result i64) i64.const 0x700000048)
  (func (export "refuse") (result i64) i64.const 0x900000003)
  (func (export "lie") (result i64) i64.const 0x100000103)
  (func (export "put_raw") (param i64) (result i64)
    (call $put (local.get 0) (i64.const 1) (i64.const 9)))
  (func (export "keep") (param i64) (result i64)
    (drop (call $put (local.get 0) (local.get 0) (i64.const 2)))
    (call $get (local.get 0) (i64.const 2)))
  (func (export "drop") (param i64) (result i64) (call $remove (local.get 0) (i64.const 2)))
  (func (export "read") (param i64) (result i64) (call $get (local.get 0) (i64.const 1)))
  (func (export "temporary") (param i64 i64) (result i64)
    (drop (call $put (local.get 0) (i64.const 1) (i64.const 0)))
    (call $extend (local.get 0) (i64.const 0) (local.get 1) (local.get 1)))
)
"""


def host(source: str = MODULE) -> Host:
    code = bytes(wasmtime.wat2wasm(source))
    view = View(State(), 100)
    executable = xdr.ContractExecutable(
        xdr.ContractExecutableType.CONTRACT_EXECUTABLE_WASM, wasm_hash=xdr.Hash(HASH)
    )
    view.put_value(entries.instance_key(CONTRACT), entries.new_instance(executable), 5_000)
    view.put(entries.code_key(HASH), entries.of_code(HASH, code), 5_000)
    closing = Closing(100, 1_790_000_000)
    return Host(view, closing, Enforcing([], source="", view=view), program_of)


def answer(function: str, *args: xdr.SCVal, on: Host | None = None) -> xdr.SCVal:
    return (on or host()).call(CONTRACT, function, *args)


def error(function: str, *args: xdr.SCVal, source: str = MODULE) -> str:
    with pytest.raises(HostError) as failed:
        host(source).call(CONTRACT, function, *args)
    return str(failed.value)


def test_calls_leave_no_memory_behind() -> None:
    """Each has gigabytes of addresses for itself while it runs."""

    def reserved_kib() -> int:
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmSize:")[2].split()[0])

    on = host()
    answer("now", on=on)
    before = reserved_kib()
    for _ in range(20):
        answer("now", on=on)
        assert error("trap")
    assert reserved_kib() - before < 4 * 1024 * 1024


@pytest.mark.parametrize("value", [scval.to_uint32(3), scval.to_bytes(b"raw"), scval.to_void()])
def test_value_goes_in_and_comes_back(value: xdr.SCVal) -> None:
    assert answer("same", value) == value


def test_host_is_asked() -> None:
    assert answer("now") == scval.to_uint64(1_790_000_000)
    assert answer("symbol") == scval.to_symbol("a_longer_symbol")


@pytest.mark.parametrize(
    ("function", "told"),
    [
        ("trap", "Error(WasmVm, InvalidAction)"),
        ("divide", "Error(WasmVm, ArithDomain)"),
        ("deeper", "Error(Budget, ExceededLimit)"),
        ("forever", "Error(Budget, ExceededLimit)"),
        ("ask", "Error(Budget, ExceededLimit)"),
        ("outside", "Error(WasmVm, IndexBounds)"),
        ("vec_outside", "Error(WasmVm, IndexBounds)"),
        ("long_symbol", "Error(Value, InvalidInput)"),
        ("foreign", "Error(Value, InvalidInput)"),
        ("refuse", "Error(Contract, #9)"),
        ("lie", "Error(Context, InvalidAction)"),
        ("absent", "Error(WasmVm, MissingValue)"),
        ("same", "Error(WasmVm, UnexpectedSize)"),
        ("memory", "Error(WasmVm, MissingValue)"),
    ],
)
def test_failure_has_the_hosts_error(function: str, told: str) -> None:
    assert error(function) == told


def test_memory_is_bounded() -> None:
    assert answer("grow") == scval.to_bool(True)


@pytest.mark.parametrize(
    "source",
    [
        '(module (import "z" "9" (func)) (memory (export "memory") 1))',
        '(module (import "x" "4" (memory 1)) (memory (export "memory") 1))',
        "(module (memory 1))",
    ],
)
def test_module_that_wants_what_is_not_there_is_refused(source: str) -> None:
    assert error("same", source=source).startswith("Error(WasmVm, ")


def test_code_that_is_no_module_is_refused() -> None:
    made = host()
    value = made.view.value(entries.instance_key(CONTRACT))
    assert value is not None
    assert value.instance is not None
    with pytest.raises(HostError) as failed:
        WasmContract(b"no wasm").call(made, value.instance, "same", [])
    assert str(failed.value) == "Error(WasmVm, InvalidInput)"


def test_instance_storage_is_written_back_in_order_with_its_life() -> None:
    made = host()
    for name in ("b", "a", "c"):
        assert answer("keep", scval.to_symbol(name), on=made) == scval.to_symbol(name)
    answer("drop", scval.to_symbol("b"), on=made)
    key = entries.instance_key(CONTRACT)
    value = made.view.value(key)
    assert value is not None
    assert value.instance is not None
    assert value.instance.storage is not None
    assert [pair.key for pair in value.instance.storage.sc_map] == [
        scval.to_symbol("a"),
        scval.to_symbol("c"),
    ]
    assert made.view.life(key) == 5_000


def test_entry_gets_the_least_life_and_keeps_what_it_has() -> None:
    made = host()
    name = scval.to_symbol("x")
    key = entries.data_key(CONTRACT, name, entries.Durability.TEMPORARY)
    answer("temporary", name, scval.to_uint32(10), on=made)
    assert made.view.life(key) == 100 + 720 - 1
    answer("temporary", name, scval.to_uint32(1_000), on=made)
    assert made.view.life(key) == 1_100
    answer("temporary", name, scval.to_uint32(1_000), on=made)
    assert made.view.life(key) == 1_100


def test_temporary_entry_cannot_outlive_the_networks_limit() -> None:
    assert error("temporary", scval.to_symbol("x"), scval.to_uint32(2**32 - 1)).startswith(
        "Error(Storage, "
    )


def test_storage_of_another_kind_and_values_that_are_missing_are_refused() -> None:
    assert error("put_raw", scval.to_symbol("x")) == "Error(Storage, InvalidAction)"
    assert error("read", scval.to_symbol("x")) == "Error(Storage, MissingValue)"


def test_a_contract_has_the_fuel_of_its_own_call_only() -> None:
    made = host()
    with pytest.raises(HostError):
        answer("forever", on=made)
    assert answer("now", on=made) == scval.to_uint64(1_790_000_000)
