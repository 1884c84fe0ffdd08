"""Contracts that are wasm, run by wasmtime.

A module is compiled once a process; each call gets a store, a memory and objects of its own, and
ends when it succeeds, traps, or has used up its fuel.
"""

import contextlib
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import wasmtime
from stellar_sdk import scval, xdr

from billing.sandbox import resources
from billing.sandbox.host import Host
from billing.sandbox.hostcalls import FUNCTIONS, HostCalls
from billing.sandbox.hosterrors import Code, HostError, Kind
from billing.sandbox.instances import Instance
from billing.sandbox.values import BITS_64

FUEL = resources.INSTRUCTIONS_MAX
MEMORY_BYTES_MAX = 40 * 1024 * 1024  # The network's own limit.
# A purchase makes about 50. Fuel does not count what happens in Python.
HOST_CALLS_MAX = 20_000
MODULES_MAX = 16

_Trap = wasmtime.TrapCode
TRAPS = {
    _Trap.UNREACHABLE: (Kind.SCE_WASM_VM, Code.SCEC_INVALID_ACTION, "UnreachableCodeReached"),
    _Trap.MEMORY_OUT_OF_BOUNDS: (Kind.SCE_WASM_VM, Code.SCEC_INDEX_BOUNDS, "MemoryOutOfBounds"),
    _Trap.TABLE_OUT_OF_BOUNDS: (Kind.SCE_WASM_VM, Code.SCEC_INDEX_BOUNDS, "TableOutOfBounds"),
    _Trap.INDIRECT_CALL_TO_NULL: (Kind.SCE_WASM_VM, Code.SCEC_MISSING_VALUE, "IndirectCallToNull"),
    _Trap.INTEGER_DIVISION_BY_ZERO: (Kind.SCE_WASM_VM, Code.SCEC_ARITH_DOMAIN, "DivisionByZero"),
    _Trap.INTEGER_OVERFLOW: (Kind.SCE_WASM_VM, Code.SCEC_ARITH_DOMAIN, "IntegerOverflow"),
    _Trap.BAD_SIGNATURE: (Kind.SCE_WASM_VM, Code.SCEC_UNEXPECTED_TYPE, "BadSignature"),
    _Trap.STACK_OVERFLOW: (Kind.SCE_BUDGET, Code.SCEC_EXCEEDED_LIMIT, "StackOverflow"),
    _Trap.OUT_OF_FUEL: (Kind.SCE_BUDGET, Code.SCEC_EXCEEDED_LIMIT, "OutOfFuel"),
}


def _engine() -> wasmtime.Engine:
    config = wasmtime.Config()
    config.consume_fuel = True
    config.cranelift_nan_canonicalization = True  # The same bits on every machine.
    config.signals_based_traps = False  # Python has signal handlers of its own.
    config.wasm_threads = False
    config.wasm_simd = False
    config.wasm_relaxed_simd = False
    return wasmtime.Engine(config)


ENGINE = _engine()


@functools.lru_cache(maxsize=MODULES_MAX)
def _module(code: bytes) -> wasmtime.Module:
    return wasmtime.Module(ENGINE, code)


def _compiled(code: bytes) -> wasmtime.Module:
    try:
        return _module(code)
    except wasmtime.WasmtimeError as problem:
        raise _unusable(str(problem)) from problem


@dataclass(slots=True)
class _Memory:
    store: wasmtime.Store
    memory: wasmtime.Memory | None = None  # Once there is an instance.

    def read(self, at: int, length: int) -> bytes:
        assert self.memory is not None
        found = bytes(self.memory.read(self.store, at, at + length))
        if len(found) != length:
            raise _out_of_bounds()
        return found

    def write(self, at: int, data: bytes) -> None:
        assert self.memory is not None
        if at + len(data) > self.memory.data_len(self.store):
            raise _out_of_bounds()
        self.memory.write(self.store, data, at)


class _Run:
    """One call of one function. Whoever made the store closes it, or it stays for ever:
    wasmtime keeps what a store may call back, and that is this."""

    def __init__(self, store: wasmtime.Store, host: Host, instance: Instance, code: bytes) -> None:
        self.store = store
        self.store.set_fuel(FUEL)
        self.store.set_limits(memory_size=MEMORY_BYTES_MAX)
        self.memory = _Memory(self.store)
        self.calls = HostCalls(host, instance, self.memory)
        self.asked = 0
        self.failed: Exception | None = None
        module = _compiled(code)
        imports = [self._import(each) for each in module.imports]
        self.exports = wasmtime.Instance(self.store, module, imports).exports(self.store)
        memory = self.exports.get("memory")
        if not isinstance(memory, wasmtime.Memory):
            raise _unusable("no linear memory named `memory`")
        self.memory.memory = memory

    def call(self, function: str, args: Sequence[xdr.SCVal]) -> xdr.SCVal:
        found = self.exports.get(function)
        if not isinstance(found, wasmtime.Func):
            raise HostError(
                Kind.SCE_WASM_VM,
                Code.SCEC_MISSING_VALUE,
                "trying to invoke non-existent contract function",
                scval.to_symbol(function),
            )
        if len(found.type(self.store).params) != len(args):
            raise HostError(
                Kind.SCE_WASM_VM,
                Code.SCEC_UNEXPECTED_SIZE,
                "VM call failed: Func(MismatchingParameterLen)",
                scval.to_symbol(function),
            )
        raw = [_signed(self.calls.objects.give(argument)) for argument in args]
        try:
            returned = found(self.store, *raw)
        except (wasmtime.Trap, wasmtime.WasmtimeError, HostError, ValueError) as trap:
            # What the host raised inside is the cause; wasmtime would keep it in a global.
            raise self.failed or _trapped(trap, function) from trap
        return self.calls.objects.take(returned)

    def _import(self, wanted: wasmtime.ImportType) -> wasmtime.Func:
        kind, function = _named(wanted)
        return wasmtime.Func(self.store, kind, self._answering(function))

    def _answering(self, function: Callable[..., int]) -> Callable[..., int]:
        def answer(*raw: int) -> int:
            try:
                self._count()
                return _signed(function(self.calls, *raw))
            except (HostError, ValueError) as failed:
                self.failed = failed
                raise

        return answer

    def _count(self) -> None:
        self.asked += 1
        if self.asked > HOST_CALLS_MAX:
            raise HostError(Kind.SCE_BUDGET, Code.SCEC_EXCEEDED_LIMIT, "too many calls of the host")


def _named(wanted: wasmtime.ImportType) -> tuple[wasmtime.FuncType, Callable[..., int]]:
    function = FUNCTIONS.get((wanted.module, wanted.name or ""))
    if function is None or not isinstance(wanted.type, wasmtime.FuncType):
        raise _unusable(f"the sandbox has no host function {wanted.module}.{wanted.name}")
    return wanted.type, function


def check(code: bytes) -> None:
    """That it can be run here: a module that asks for nothing that there is not."""
    for wanted in _compiled(code).imports:
        _named(wanted)


@dataclass(frozen=True, slots=True)
class WasmContract:
    code: bytes

    def defines(self, function: str) -> bool:
        return any(export.name == function for export in _compiled(self.code).exports)

    def call(
        self, host: Host, instance: xdr.SCContractInstance, function: str, args: Sequence[xdr.SCVal]
    ) -> xdr.SCVal:
        storage = Instance.of(instance)
        with contextlib.closing(wasmtime.Store(ENGINE)) as store:
            returned = _Run(store, host, storage, self.code).call(function, args)
        if returned.error is not None:
            raise _returned(returned.error)
        if storage.changed:
            host.keep_instance(storage.to_scval())
        return returned


def _returned(error: xdr.SCError) -> HostError:
    if error.contract_code is None:
        return HostError(
            Kind.SCE_CONTEXT,
            Code.SCEC_INVALID_ACTION,
            "frame-exit with Ok(Error) carrying a non-ScErrorType::Contract Error",
        )
    message = "escalating Ok(ScErrorType::Contract) frame-exit to Err"
    return HostError(Kind.SCE_CONTRACT, error.contract_code.uint32, message)


def _trapped(trap: Exception, function: str) -> HostError:
    code = trap.trap_code if isinstance(trap, wasmtime.Trap) else None
    if code not in TRAPS:
        raise trap
    kind, number, name = TRAPS[code]
    return HostError(kind, number, f"VM call trapped: {name}", scval.to_symbol(function))


def _unusable(why: str) -> HostError:
    return HostError(Kind.SCE_WASM_VM, Code.SCEC_INVALID_INPUT, why)


def _out_of_bounds() -> HostError:
    return HostError(Kind.SCE_WASM_VM, Code.SCEC_INDEX_BOUNDS, "memory out of bounds")


def _signed(raw: int) -> int:
    raw &= BITS_64
    return raw - (1 << 64) if raw >> 63 else raw
