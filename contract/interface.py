"""What a contract's wasm shows to the network: its functions, and what it says of itself.

`python3 interface.py BUILT COMMITTED` compares two, but for what names the toolchain.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CUSTOM, EXPORTS = 0, 7
FUNCTION = 0


@dataclass(frozen=True, slots=True)
class Interface:
    exports: tuple[str, ...]
    spec: bytes  # Types, functions, errors and events, as a stream of SCSpecEntry.
    environment: bytes  # The protocol that it needs.


@dataclass(slots=True)
class _Reader:
    data: bytes
    at: int = 0

    def number(self) -> int:
        """LEB128, unsigned."""
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def take(self, length: int) -> bytes:
        self.at += length
        return self.data[self.at - length : self.at]

    def name(self) -> str:
        return self.take(self.number()).decode()


def sections(wasm: bytes) -> Iterator[tuple[int, bytes]]:
    if wasm[:8] != b"\0asm\1\0\0\0":
        raise ValueError("not a wasm module")
    reader = _Reader(wasm, 8)
    while reader.at < len(wasm):
        kind = reader.number()
        yield kind, reader.take(reader.number())


def custom(wasm: bytes) -> dict[str, bytes]:
    """By name; of two with one name the contents follow each other, as the network reads them."""
    found: dict[str, bytes] = {}
    for kind, body in sections(wasm):
        if kind == CUSTOM:
            reader = _Reader(body)
            name = reader.name()
            found[name] = found.get(name, b"") + body[reader.at :]
    return found


def exports(wasm: bytes) -> tuple[str, ...]:
    names = []
    for body in (body for kind, body in sections(wasm) if kind == EXPORTS):
        reader = _Reader(body)
        for _ in range(reader.number()):
            name, kind = reader.name(), reader.number()
            reader.number()
            if kind == FUNCTION:
                names.append(name)
    return tuple(sorted(names))


def of(wasm: bytes) -> Interface:
    told = custom(wasm)
    return Interface(exports(wasm), told["contractspecv0"], told["contractenvmetav0"])


if __name__ == "__main__":
    built, committed = (of(Path(name).read_bytes()) for name in sys.argv[1:3])
    if built != committed:
        sys.exit("The interface of the committed wasm is not that of the source.")
