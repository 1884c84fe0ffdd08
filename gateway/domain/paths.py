"""One spelling for each path, so that what is decided on is what the upstream sees.

The gate decides on the canonical path and sends exactly that. Canonical means: percent-encodings of
unreserved characters decoded, the others in upper case, everything that RFC 3986 does not allow raw
in a path encoded, runs of slashes made one. A WHATWG URL parser, as in the upstream client, leaves
such a path as it is.

Refused as ambiguous, because servers differ in what they make of them: encoded slashes and
backslashes, raw backslashes, NUL, dot segments in any spelling (with path parameters too, `/..;/`),
overlong UTF-8 for any of these, and a `%` that encodes nothing.
"""

import re

# A path that is its own canonical form. Most are; the rest of this file is for those that are not.
_SEGMENT = rb"(?!;|\.{1,2}(?:[;/]|\Z))[A-Za-z0-9\-._~!$&'()*+,;=:@]+"
_CANONICAL = re.compile(rb"/(?:" + _SEGMENT + rb"(?:/" + _SEGMENT + rb")*/?)?").fullmatch

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_RAW_IN_PATH = _UNRESERVED | frozenset(b"!$&'()*+,;=:@/")
_SEPARATING = frozenset(b"/\\\x00")
_ENCODED = re.compile(rb"%([0-9A-Fa-f]{2})")
_STRAY_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})").search
# Longer spellings of ASCII characters, which a lax decoder takes for the character.
_OVERLONG = re.compile(rb"[\xc0\xc1][\x80-\xbf]|\xe0[\x80-\x9f]|\xf0[\x80-\x8f]").search
_SLASHES = re.compile(rb"/{2,}")
_PARAMETERS = re.compile(rb"(?:;|%3B)[^/]*")
_NAMELESS = re.compile(rb"/(?:;|%3B)").search

PATH_BYTES_MAX = 8192


class AmbiguousPath(ValueError):
    """Says what two servers would read differently."""


def canonical(raw: bytes) -> bytes:
    if len(raw) > PATH_BYTES_MAX:
        raise AmbiguousPath(f"it is longer than {PATH_BYTES_MAX} bytes")
    if _CANONICAL(raw):
        return raw
    if not raw.startswith(b"/"):
        raise AmbiguousPath("it does not begin with a slash")
    if _STRAY_PERCENT(raw):
        raise AmbiguousPath("it has a % that encodes nothing")
    if b"\\" in raw or b"\x00" in raw:
        raise AmbiguousPath("it has a backslash or NUL")
    if _OVERLONG(_ENCODED.sub(lambda found: bytes([int(found[1], 16)]), raw)):
        raise AmbiguousPath("it has an overlong encoding")
    path = _SLASHES.sub(b"/", _encode_the_rest(_ENCODED.sub(_decode_unreserved, raw)))
    if not {b".", b".."}.isdisjoint(segments(path)) or _NAMELESS(path):
        raise AmbiguousPath("it has dot segments or empty ones with parameters")
    return path


def segments(path: bytes) -> list[bytes]:
    """The segments of a canonical path to decide on: parameters (`;x=1`) left out.

    Some servers route `/premium;x` as `/premium`, so it is `/premium` that has to be paid for.
    """
    if b";" in path or b"%3B" in path:
        path = _SLASHES.sub(b"/", _PARAMETERS.sub(b"", path))
    return [segment for segment in path.split(b"/") if segment]


def _decode_unreserved(found: re.Match[bytes]) -> bytes:
    byte = int(found[1], 16)
    if byte in _SEPARATING:
        raise AmbiguousPath(f"it has an encoded separator, {found[0].decode()}")
    return bytes([byte]) if byte in _UNRESERVED else found[0].upper()


def _encode_the_rest(path: bytes) -> bytes:
    return b"".join(
        bytes([byte]) if byte in _RAW_IN_PATH or byte == 0x25 else b"%%%02X" % byte for byte in path
    )


_QUERY = re.compile(rb"[A-Za-z0-9\-._~!$&()*+,;=:@/?%|^`{}\[\]\\]*").fullmatch
_RAW_IN_QUERY = frozenset(range(0x21, 0x7F)) - frozenset(b"\"#'<>")


def canonical_query(raw: bytes) -> str:
    """A query as a WHATWG URL parser writes it: nothing in it is decided on, nothing may end it."""
    if not _QUERY(raw):
        raw = b"".join(bytes([byte]) if byte in _RAW_IN_QUERY else b"%%%02X" % byte for byte in raw)
    return raw.decode("ascii")
