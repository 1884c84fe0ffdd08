"""A voucher's code: 80 bits that are read out, typed and mistyped by people."""

import hashlib

DOMAIN = b"apicharge-voucher-v1\0"
ALPHABET = "ABCDEFGHJKMNPQRSTVWXYZ0123456789"  # Crockford's base 32, with its letters first.
MISREAD = str.maketrans("ILOU", "110V")
LENGTH, GROUP = 16, 4
CODE_BYTES = 10


def code(random: bytes) -> str:
    """Such as K7QD-2MVX-9RTH-0BCN."""
    if len(random) != CODE_BYTES:
        raise ValueError(f"a code is made of {CODE_BYTES} bytes")
    number = int.from_bytes(random, "big")
    letters = "".join(ALPHABET[number >> 5 * place & 31] for place in range(LENGTH))
    return "-".join(letters[start : start + GROUP] for start in range(0, LENGTH, GROUP))


def plain(text: str) -> str | None:
    """The code that somebody typed, in one spelling; None where it cannot be one."""
    letters = "".join(each for each in text.upper() if each.isalnum()).translate(MISREAD)
    if len(letters) != LENGTH or any(each not in ALPHABET for each in letters):
        return None
    return letters


def digest(letters: str) -> str:
    return hashlib.sha256(DOMAIN + letters.encode()).hexdigest()
