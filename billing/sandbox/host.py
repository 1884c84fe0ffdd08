"""Running a contract call: frames, authorization, storage, events.

A contract is whatever answers `Contract.call`: the asset contract, which is built into every node,
or a wasm module.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from stellar_sdk import StrKey, scval, xdr

from billing.sandbox import entries, network
from billing.sandbox.auth import Authorization, function_of
from billing.sandbox.hosterrors import Code, HostError, Kind
from billing.sandbox.state import View

CONSTRUCTOR = "__constructor"
_PERSISTENT = entries.Durability.PERSISTENT
LIFE_LEAST = {
    _PERSISTENT: network.PERSISTENT_TTL_MIN_LEDGERS,
    entries.Durability.TEMPORARY: network.TEMPORARY_TTL_MIN_LEDGERS,
}


@dataclass(frozen=True, slots=True)
class Closing:
    """The ledger that a call runs in."""

    sequence: int
    close_time: int


class Contract(Protocol):
    def defines(self, function: str) -> bool: ...

    def call(
        self,
        host: "Host",
        instance: xdr.SCContractInstance,
        function: str,
        args: Sequence[xdr.SCVal],
    ) -> xdr.SCVal: ...


Programs = Callable[[xdr.ContractExecutable, View], Contract]


@dataclass(slots=True)
class Host:
    view: View
    closing: Closing
    authorization: Authorization
    programs: Programs
    events: list[xdr.ContractEvent] = field(default_factory=list)
    frames: list[str] = field(default_factory=list)

    def invoke(self, call: xdr.InvokeContractArgs) -> xdr.SCVal:
        contract = entries.address_of(call.contract_address)
        if contract in self.frames:
            raise HostError(
                Kind.SCE_CONTEXT, Code.SCEC_INVALID_ACTION, "Contract re-entry is not allowed"
            )
        function = call.function_name.sc_symbol.decode()
        if function.startswith("__"):
            raise HostError(
                Kind.SCE_CONTEXT,
                Code.SCEC_INVALID_ACTION,
                "can't invoke a reserved function directly",
                scval.to_symbol(function),
            )
        return self._enter(contract, call)

    def construct(self, contract: str, args: Sequence[xdr.SCVal]) -> None:
        call = _call(contract, CONSTRUCTOR, args)
        returned = self._enter(contract, call)
        if returned != scval.to_void():
            raise HostError(
                Kind.SCE_VALUE, Code.SCEC_UNEXPECTED_TYPE, "constructor returned non-void value"
            )

    def _enter(self, contract: str, call: xdr.InvokeContractArgs) -> xdr.SCVal:
        instance = self._instance(contract)
        self.authorization.push(function_of(call))
        self.frames.append(contract)
        try:
            program = self.programs(instance.executable, self.view)
            return program.call(self, instance, call.function_name.sc_symbol.decode(), call.args)
        except HostError as error:
            error.contract = error.contract or contract
            raise
        except ValueError as problem:  # stellar_sdk's, for a value of another type than expected.
            raise HostError(
                Kind.SCE_VALUE, Code.SCEC_UNEXPECTED_TYPE, str(problem), contract=contract
            ) from problem
        finally:
            self.frames.pop()
            self.authorization.pop()

    def call(self, contract: str, function: str, *args: xdr.SCVal) -> xdr.SCVal:
        return self.invoke(_call(contract, function, args))

    def require_auth(self, address: str) -> None:
        if len(self.frames) > 1 and address == self.frames[-2]:
            return  # A contract authorizes what it calls itself.
        self.authorization.require(address)

    def emit(self, topics: Sequence[xdr.SCVal], data: xdr.SCVal) -> None:
        self.events.append(contract_event(self.contract, topics, data))

    @property
    def contract(self) -> str:
        """The one that is running."""
        return self.frames[-1]

    def stored(self, key: xdr.SCVal, durability: entries.Durability) -> xdr.SCVal | None:
        return self.view.value(entries.data_key(self.contract, key, durability))

    def store(
        self, key: xdr.SCVal, value: xdr.SCVal, durability: entries.Durability, live_until: int
    ) -> None:
        limit = self.closing.sequence + network.ENTRY_TTL_MAX_LEDGERS - 1
        entry = entries.data_key(self.contract, key, durability)
        self.view.put_value(entry, value, min(live_until, limit))

    def keep(self, key: xdr.SCVal, value: xdr.SCVal, durability: entries.Durability) -> None:
        """A new entry gets the least life there is, an old one keeps its own."""
        entry = entries.data_key(self.contract, key, durability)
        least = self.closing.sequence + LIFE_LEAST[durability] - 1
        self.view.put_value(entry, value, self.view.life(entry) or least)

    def keep_instance(self, instance: xdr.SCVal) -> None:
        key = entries.instance_key(self.contract)
        life = self.view.life(key)
        assert life is not None
        self.view.put_value(key, instance, life)

    def forget(self, key: xdr.SCVal, durability: entries.Durability) -> None:
        self.view.remove(entries.data_key(self.contract, key, durability))

    def extend(
        self, key: xdr.SCVal, durability: entries.Durability, threshold: int, extend_to: int
    ) -> None:
        entry = entries.data_key(self.contract, key, durability)
        self._extend(entry, threshold, extend_to, capped=durability is _PERSISTENT)

    def extend_instance(self, code: bytes, threshold: int, extend_to: int) -> None:
        for key in (entries.instance_key(self.contract), entries.code_key(code)):
            self._extend(key, threshold, extend_to, capped=True)

    def _extend(self, key: xdr.LedgerKey, threshold: int, extend_to: int, *, capped: bool) -> None:
        now, most = self.closing.sequence, network.ENTRY_TTL_MAX_LEDGERS - 1
        life = self.view.life(key)
        if threshold > extend_to or life is None or (extend_to > most and not capped):
            raise HostError(
                Kind.SCE_STORAGE, Code.SCEC_INVALID_ACTION, "trying to extend invalid entry"
            )
        until = now + min(extend_to, most)
        if life - now <= threshold and life < until:
            self.view.extend(key, until)

    def _instance(self, contract: str) -> xdr.SCContractInstance:
        if not StrKey.is_valid_contract(contract):
            raise HostError(Kind.SCE_CONTEXT, Code.SCEC_INVALID_INPUT, "not a contract address")
        value = self.view.value(entries.instance_key(contract))
        if value is None or value.instance is None:
            raise HostError(
                Kind.SCE_STORAGE,
                Code.SCEC_MISSING_VALUE,
                "trying to get non-existing value for contract instance",
                scval.to_address(contract),
            )
        return value.instance


def _call(contract: str, function: str, args: Sequence[xdr.SCVal]) -> xdr.InvokeContractArgs:
    name = xdr.SCSymbol(function.encode())
    return xdr.InvokeContractArgs(entries.sc_address(contract), name, list(args))


def contract_event(
    contract: str, topics: Sequence[xdr.SCVal], data: xdr.SCVal
) -> xdr.ContractEvent:
    return xdr.ContractEvent(
        xdr.ExtensionPoint(0),
        xdr.ContractID(xdr.Hash(StrKey.decode_contract(contract))),
        xdr.ContractEventType.CONTRACT,
        xdr.ContractEventBody(0, xdr.ContractEventV0(list(topics), data)),
    )
