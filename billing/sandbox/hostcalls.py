"""What a contract may ask of the host: the functions that soroban-env-common's env.json names.

Those that the committed contracts import, and no other. Arguments and answers are raw 64 bits;
which of them are values and which are plain numbers is the interface's to say.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol

from stellar_sdk import StrKey, scval, xdr

from billing.sandbox import network, ordering
from billing.sandbox.entries import Durability, address_of
from billing.sandbox.host import Host
from billing.sandbox.hosterrors import Code, HostError, Kind
from billing.sandbox.instances import Instance
from billing.sandbox.values import BITS_64, Objects, Tag
from gateway.domain import ed25519

VOID = Tag.VOID.value
SYMBOL_MAX = 32


class StorageType(IntEnum):
    TEMPORARY = 0
    PERSISTENT = 1
    INSTANCE = 2


DURABILITIES = {
    StorageType.TEMPORARY: Durability.TEMPORARY,
    StorageType.PERSISTENT: Durability.PERSISTENT,
}


class Memory(Protocol):
    def read(self, at: int, length: int) -> bytes: ...
    def write(self, at: int, data: bytes) -> None: ...


@dataclass(slots=True)
class HostCalls:
    """One running contract's side of the host."""

    host: Host
    instance: Instance
    memory: Memory
    objects: Objects = field(default_factory=Objects)

    def compare(self, left: int, right: int) -> int:
        return ordering.compare(self.objects.take(left), self.objects.take(right))

    def emit(self, topics: int, data: int) -> int:
        self.host.emit(self._vec(topics), self.objects.take(data))
        return VOID

    def ledger_sequence(self) -> int:
        return self.objects.give(scval.to_uint32(self.host.closing.sequence))

    def timestamp(self) -> int:
        return self.objects.give(scval.to_uint64(self.host.closing.close_time))

    def network_id(self) -> int:
        return self.objects.give(scval.to_bytes(network.NETWORK_ID))

    def current_contract(self) -> int:
        return self.objects.give(scval.to_address(self.host.contract))

    def fail(self, error: int) -> int:
        value = self.objects.take(error)
        if value.error is None or value.error.contract_code is None:
            raise _unexpected("an error of a contract")
        number = value.error.contract_code.uint32
        raise HostError(Kind.SCE_CONTRACT, number, "failing with contract error", value)

    def from_u64(self, value: int) -> int:
        return self.objects.give(scval.to_uint64(value & BITS_64))

    def to_u64(self, value: int) -> int:
        return scval.from_uint64(self.objects.take(value))

    def from_i128(self, high: int, low: int) -> int:
        return self.objects.give(scval.to_int128(high << 64 | low & BITS_64))

    def i128_low(self, value: int) -> int:
        return scval.from_int128(self.objects.take(value)) & BITS_64

    def i128_high(self, value: int) -> int:
        return scval.from_int128(self.objects.take(value)) >> 64

    def new_map(self, keys: int, values: int, length: int) -> int:
        names = self._names(keys, length)
        raw = self._words(self._number(values), len(names))
        if sorted(set(names)) != names:
            raise HostError(Kind.SCE_OBJECT, Code.SCEC_INVALID_INPUT, "map keys are out of order")
        pairs = [
            xdr.SCMapEntry(scval.to_symbol(name.decode()), self.objects.take(word))
            for name, word in zip(names, raw, strict=True)
        ]
        return self.objects.give(xdr.SCVal(xdr.SCValType.SCV_MAP, map=xdr.SCMap(pairs)))

    def unpack_map(self, value: int, keys: int, values: int, length: int) -> int:
        found = self.objects.take(value)
        if found.map is None:
            raise _unexpected("a map")
        pairs = found.map.sc_map
        if len(pairs) != self._number(length):
            raise HostError(
                Kind.SCE_OBJECT,
                Code.SCEC_UNEXPECTED_SIZE,
                "differing host map and output slice lengths when unpacking map to linear memory",
            )
        for pair, name in zip(pairs, self._names(keys, length), strict=True):
            if pair.key.sym is None or pair.key.sym.sc_symbol != name:
                raise HostError(
                    Kind.SCE_VALUE, Code.SCEC_INVALID_INPUT, "symbol mismatch", pair.key
                )
        words = [self.objects.give(pair.val) for pair in pairs]
        self.memory.write(
            self._number(values), b"".join(word.to_bytes(8, "little") for word in words)
        )
        return VOID

    def vec_get(self, value: int, at: int) -> int:
        items = self._vec(value)
        place = self._number(at)
        if place >= len(items):
            raise HostError(Kind.SCE_OBJECT, Code.SCEC_INDEX_BOUNDS, "index out of bounds")
        return self.objects.give(items[place])

    def vec_length(self, value: int) -> int:
        return self.objects.give(scval.to_uint32(len(self._vec(value))))

    def new_vec(self, values: int, length: int) -> int:
        words = self._words(self._number(values), self._number(length))
        return self.objects.give(scval.to_vec([self.objects.take(word) for word in words]))

    def put(self, key: int, value: int, kind: int) -> int:
        name, content = self.objects.take(key), self.objects.take(value)
        if kind == StorageType.INSTANCE:
            self.instance.put(name, content)
        else:
            self.host.keep(name, content, _durability(kind))
        return VOID

    def has(self, key: int, kind: int) -> int:
        return Tag.TRUE if self._stored(key, kind) is not None else Tag.FALSE

    def get(self, key: int, kind: int) -> int:
        found = self._stored(key, kind)
        if found is None:
            raise HostError(
                Kind.SCE_STORAGE,
                Code.SCEC_MISSING_VALUE,
                "trying to get non-existing value for contract data key",
                self.objects.take(key),
            )
        return self.objects.give(found)

    def remove(self, key: int, kind: int) -> int:
        name = self.objects.take(key)
        if kind == StorageType.INSTANCE:
            self.instance.remove(name)
        else:
            self.host.forget(name, _durability(kind))
        return VOID

    def extend(self, key: int, kind: int, threshold: int, extend_to: int) -> int:
        ledgers = self._number(threshold), self._number(extend_to)
        self.host.extend(self.objects.take(key), _durability(kind), *ledgers)
        return VOID

    def extend_instance(self, threshold: int, extend_to: int) -> int:
        ledgers = self._number(threshold), self._number(extend_to)
        self.host.extend_instance(self.instance.code, *ledgers)
        return VOID

    def call(self, contract: int, function: int, arguments: int) -> int:
        name = self.objects.take(function)
        returned = self.host.call(
            self._address(contract), scval.from_symbol(name), *self._vec(arguments)
        )
        return self.objects.give(returned)

    def serialize(self, value: int) -> int:
        return self.objects.give(scval.to_bytes(self.objects.take(value).to_xdr_bytes()))

    def bytes_length(self, value: int) -> int:
        return self.objects.give(scval.to_uint32(len(self._bytes(value))))

    def new_symbol(self, at: int, length: int) -> int:
        if self._number(length) > SYMBOL_MAX:
            raise HostError(Kind.SCE_VALUE, Code.SCEC_INVALID_INPUT, "a symbol that is too long")
        raw = self.memory.read(self._number(at), self._number(length))
        return self.objects.give(scval.to_symbol(raw.decode()))

    def sha256(self, value: int) -> int:
        return self.objects.give(scval.to_bytes(hashlib.sha256(self._bytes(value)).digest()))

    def verify_ed25519(self, key: int, message: int, signature: int) -> int:
        parts = self._bytes(key), self._bytes(message), self._bytes(signature)
        if not ed25519.verify(*parts):
            raise HostError(Kind.SCE_CRYPTO, Code.SCEC_INVALID_INPUT, "failed ED25519 verification")
        return VOID

    def require_auth(self, address: int) -> int:
        self.host.require_auth(self._address(address))
        return VOID

    def account_of_muxed(self, address: int) -> int:
        value = self.objects.take(address)
        muxed = None if value.address is None else value.address.muxed_account
        if muxed is None:
            raise _unexpected("a muxed address")
        key = StrKey.encode_ed25519_public_key(muxed.ed25519.uint256)
        return self.objects.give(scval.to_address(key))

    def _stored(self, key: int, kind: int) -> xdr.SCVal | None:
        name = self.objects.take(key)
        if kind == StorageType.INSTANCE:
            return self.instance.get(name)
        return self.host.stored(name, _durability(kind))

    def _number(self, raw: int) -> int:
        return scval.from_uint32(self.objects.take(raw))

    def _bytes(self, raw: int) -> bytes:
        return scval.from_bytes(self.objects.take(raw))

    def _vec(self, raw: int) -> list[xdr.SCVal]:
        return scval.from_vec(self.objects.take(raw))

    def _address(self, raw: int) -> str:
        value = self.objects.take(raw)
        if value.address is None:
            raise _unexpected("an address")
        return address_of(value.address)

    def _words(self, at: int, count: int) -> list[int]:
        raw = self.memory.read(at, 8 * count)
        return [int.from_bytes(raw[8 * n : 8 * n + 8], "little") for n in range(count)]

    def _names(self, at: int, length: int) -> list[bytes]:
        """Texts in a table of (position, length)."""
        slices = self._words(self._number(at), self._number(length))
        return [self.memory.read(word & 0xFFFFFFFF, word >> 32) for word in slices]


def _durability(kind: int) -> Durability:
    try:
        return DURABILITIES[StorageType(kind)]
    except (KeyError, ValueError) as unknown:
        raise HostError(
            Kind.SCE_STORAGE, Code.SCEC_INVALID_ACTION, "not for this kind of storage"
        ) from unknown


def _unexpected(what: str) -> HostError:
    return HostError(Kind.SCE_VALUE, Code.SCEC_UNEXPECTED_TYPE, f"{what} is expected")


FUNCTIONS: Mapping[tuple[str, str], Callable[..., int]] = {
    ("x", "0"): HostCalls.compare,
    ("x", "1"): HostCalls.emit,
    ("x", "3"): HostCalls.ledger_sequence,
    ("x", "4"): HostCalls.timestamp,
    ("x", "5"): HostCalls.fail,
    ("x", "6"): HostCalls.network_id,
    ("x", "7"): HostCalls.current_contract,
    ("i", "_"): HostCalls.from_u64,
    ("i", "0"): HostCalls.to_u64,
    ("i", "6"): HostCalls.from_i128,
    ("i", "7"): HostCalls.i128_low,
    ("i", "8"): HostCalls.i128_high,
    ("m", "9"): HostCalls.new_map,
    ("m", "a"): HostCalls.unpack_map,
    ("v", "1"): HostCalls.vec_get,
    ("v", "3"): HostCalls.vec_length,
    ("v", "g"): HostCalls.new_vec,
    ("l", "_"): HostCalls.put,
    ("l", "0"): HostCalls.has,
    ("l", "1"): HostCalls.get,
    ("l", "2"): HostCalls.remove,
    ("l", "7"): HostCalls.extend,
    ("l", "8"): HostCalls.extend_instance,
    ("d", "_"): HostCalls.call,
    ("b", "_"): HostCalls.serialize,
    ("b", "8"): HostCalls.bytes_length,
    ("b", "j"): HostCalls.new_symbol,
    ("c", "_"): HostCalls.sha256,
    ("c", "0"): HostCalls.verify_ed25519,
    ("a", "0"): HostCalls.require_auth,
    ("a", "4"): HostCalls.account_of_muxed,
}
