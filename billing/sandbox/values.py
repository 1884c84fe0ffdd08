"""Values on their way into wasm and back: 64 bits, the low eight of them a tag (CAP-46).

Small values are in the other 56 bits. The rest are objects: the bits hold a handle, which means
something only to the running contract that it was given to.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from stellar_sdk import scval, xdr

from billing.sandbox.hosterrors import Code, HostError, Kind

Types = xdr.SCValType
BITS_64 = (1 << 64) - 1
BITS_32 = (1 << 32) - 1
BODY_BITS = 56
SYMBOL_SMALL_MAX = 9
SYMBOL_CHARACTERS = "_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class Tag(IntEnum):
    FALSE = 0
    TRUE = 1
    VOID = 2
    ERROR = 3
    U32 = 4
    I32 = 5
    SYMBOL_SMALL = 14


@dataclass(frozen=True, slots=True)
class _Number:
    """An integer type that is small where it fits."""

    small: int
    large: int
    signed: bool
    read: Callable[[xdr.SCVal], int]
    make: Callable[[int], xdr.SCVal]

    def pack(self, value: xdr.SCVal) -> int | None:
        number, half = self.read(value), 1 << (BODY_BITS - 1)
        fits = -half <= number < half if self.signed else number < 2 * half
        return (number << 8 | self.small) & BITS_64 if fits else None

    def unpack(self, body: int) -> xdr.SCVal:
        return self.make(_signed(body, BODY_BITS) if self.signed else body)


NUMBERS = {
    Types.SCV_U64: _Number(6, 64, False, scval.from_uint64, scval.to_uint64),
    Types.SCV_I64: _Number(7, 65, True, scval.from_int64, scval.to_int64),
    Types.SCV_TIMEPOINT: _Number(8, 66, False, scval.from_timepoint, scval.to_timepoint),
    Types.SCV_DURATION: _Number(9, 67, False, scval.from_duration, scval.to_duration),
    Types.SCV_U128: _Number(10, 68, False, scval.from_uint128, scval.to_uint128),
    Types.SCV_I128: _Number(11, 69, True, scval.from_int128, scval.to_int128),
    Types.SCV_U256: _Number(12, 70, False, scval.from_uint256, scval.to_uint256),
    Types.SCV_I256: _Number(13, 71, True, scval.from_int256, scval.to_int256),
}
OBJECT_TAGS = {
    **{kind: number.large for kind, number in NUMBERS.items()},
    Types.SCV_BYTES: 72,
    Types.SCV_STRING: 73,
    Types.SCV_SYMBOL: 74,
    Types.SCV_VEC: 75,
    Types.SCV_MAP: 76,
}
ADDRESS_TAGS = {
    xdr.SCAddressType.SC_ADDRESS_TYPE_ACCOUNT: 77,
    xdr.SCAddressType.SC_ADDRESS_TYPE_CONTRACT: 77,
    xdr.SCAddressType.SC_ADDRESS_TYPE_MUXED_ACCOUNT: 78,
}


@dataclass(slots=True)
class Objects:
    """What one running contract holds."""

    held: list[xdr.SCVal] = field(default_factory=list)

    def give(self, value: xdr.SCVal) -> int:
        small = SMALL.get(value.type)
        if small is not None and (raw := small(value)) is not None:
            return raw
        tag = _object_tag(value)
        if tag is None:
            raise HostError(
                Kind.SCE_VALUE, Code.SCEC_UNEXPECTED_TYPE, "no value that a contract may hold"
            )
        self.held.append(value)
        return (len(self.held) - 1) << 32 | tag

    def take(self, raw: int) -> xdr.SCVal:
        tag, body = raw & 0xFF, (raw & BITS_64) >> 8
        if tag in OF_SMALL:
            return OF_SMALL[tag](body)
        handle = body >> 24
        if handle >= len(self.held) or _object_tag(self.held[handle]) != tag:
            raise HostError(Kind.SCE_VALUE, Code.SCEC_INVALID_INPUT, "unknown object reference")
        return self.held[handle]


def _object_tag(value: xdr.SCVal) -> int | None:
    if value.address is not None:
        return ADDRESS_TAGS.get(value.address.type)
    return OBJECT_TAGS.get(value.type)


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) else value


def _bool(value: xdr.SCVal) -> int:
    return Tag.TRUE if scval.from_bool(value) else Tag.FALSE


def _u32(value: xdr.SCVal) -> int:
    return scval.from_uint32(value) << 32 | Tag.U32


def _i32(value: xdr.SCVal) -> int:
    return (scval.from_int32(value) & BITS_32) << 32 | Tag.I32


def _error(value: xdr.SCVal) -> int:
    error = value.error
    assert error is not None
    if error.contract_code is not None:
        number = error.contract_code.uint32
    else:
        assert error.code is not None
        number = error.code.value
    return number << 32 | error.type.value << 8 | Tag.ERROR


def _of_error(body: int) -> xdr.SCVal:
    number = body >> 24
    try:
        kind = Kind(body & 0xFFFFFF)
        if kind == Kind.SCE_CONTRACT:
            error = xdr.SCError(kind, contract_code=xdr.Uint32(number))
        else:
            error = xdr.SCError(kind, code=Code(number))
    except ValueError as unknown:
        raise HostError(Kind.SCE_VALUE, Code.SCEC_INVALID_INPUT, "no error code") from unknown
    return xdr.SCVal(Types.SCV_ERROR, error=error)


def _symbol(value: xdr.SCVal) -> int | None:
    text = scval.from_symbol(value)
    if len(text) > SYMBOL_SMALL_MAX:
        return None
    body = 0
    for character in text:
        body = body << 6 | SYMBOL_CHARACTERS.index(character) + 1
    return body << 8 | Tag.SYMBOL_SMALL


def _of_symbol(body: int) -> xdr.SCVal:
    text = ""
    while body:
        text = SYMBOL_CHARACTERS[(body & 0x3F) - 1] + text
        body >>= 6
    return scval.to_symbol(text)


# A value as raw bits; None when it does not fit and has to be an object.
SMALL: Mapping[xdr.SCValType, Callable[[xdr.SCVal], int | None]] = {
    Types.SCV_BOOL: _bool,
    Types.SCV_VOID: lambda _: Tag.VOID,
    Types.SCV_ERROR: _error,
    Types.SCV_U32: _u32,
    Types.SCV_I32: _i32,
    Types.SCV_SYMBOL: _symbol,
    **{kind: number.pack for kind, number in NUMBERS.items()},
}
# By tag, from the bits above it.
OF_SMALL: Mapping[int, Callable[[int], xdr.SCVal]] = {
    Tag.FALSE: lambda _: scval.to_bool(False),
    Tag.TRUE: lambda _: scval.to_bool(True),
    Tag.VOID: lambda _: scval.to_void(),
    Tag.ERROR: _of_error,
    Tag.U32: lambda body: scval.to_uint32(body >> 24),
    Tag.I32: lambda body: scval.to_int32(_signed(body >> 24, 32)),
    Tag.SYMBOL_SMALL: _of_symbol,
    **{number.small: number.unpack for number in NUMBERS.values()},
}
