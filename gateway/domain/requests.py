"""A request as HTTP/2 frames it, read as strictly as HTTP/1.1 would have to be written.

An upstream may speak HTTP/1.1: what HTTP/2 can carry and HTTP/1.1 cannot (a line break in a path, a
length that two fields dispute, a transfer coding) must not get as far as there. The framing itself
and the pseudo-headers' order are the protocol library's to check.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote

from gateway.domain.headers import is_host

Field = tuple[bytes, bytes]

SCHEMES = frozenset({b"http", b"https"})
_METHOD = re.compile(rb"[A-Z][A-Z-]{0,31}").fullmatch
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+").fullmatch
_TARGET = re.compile(rb"(/[!\"$-;=?-~]*|\*)").fullmatch
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]").search
_LENGTH = re.compile(rb"[0-9]{1,19}").fullmatch
FRAMING = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"}
)


@dataclass(slots=True)
class Request:
    method: str
    path: str
    raw_path: bytes
    query: bytes
    headers: list[Field]
    """As HTTP/1.1 names them: with a Host, one Cookie, and how the body is framed."""
    length: int | None
    protocol: bytes | None
    """What an extended CONNECT (RFC 8441) asks for."""
    expects_continue: bool = False

    def is_of(self, content_type: bytes) -> bool:
        return any(
            name == b"content-type" and value.lower().startswith(content_type)
            for name, value in self.headers
        )


class Malformed(ValueError):
    """Not a request that could be written down as HTTP/1.1; the message says why."""


def read(fields: Iterable[Field], *, has_body: bool) -> Request:
    pseudo: dict[bytes, bytes] = {}
    headers: list[Field] = []
    cookies: list[bytes] = []
    for name, value in fields:
        if name.startswith(b":"):
            pseudo[name] = value
        elif name == b"cookie":
            cookies.append(value)
        else:
            headers.append((name, value))
    if cookies:
        headers.append((b"cookie", b"; ".join(cookies)))
    for name, value in headers:
        if _NAME(name) is None or name in FRAMING or _CONTROL(value):
            raise Malformed("A header is none that a request can have.")
    request = _line(pseudo, headers)
    _frame(request, has_body=has_body)
    return request


def _frame(request: Request, *, has_body: bool) -> None:
    if request.length and not has_body:
        raise Malformed("A body is announced, and none comes.")
    if request.length is None and has_body and request.protocol is None:
        request.headers.append((b"transfer-encoding", b"chunked"))


def _line(pseudo: dict[bytes, bytes], headers: list[Field]) -> Request:
    method, target = pseudo[b":method"], pseudo.get(b":path", b"")
    protocol = pseudo.get(b":protocol")
    if _METHOD(method) is None or (method == b"CONNECT" and protocol is None):
        raise Malformed("The method is none that is served.")
    if _TARGET(target) is None or (target == b"*" and method != b"OPTIONS"):
        raise Malformed("The path is none.")
    if pseudo.get(b":scheme") not in SCHEMES:
        raise Malformed("The scheme is neither http nor https.")
    raw_path, _, query = target.partition(b"?")
    return Request(
        method=method.decode(),
        path=unquote(raw_path.decode()),
        raw_path=raw_path,
        query=query,
        headers=_with_host(pseudo.get(b":authority"), headers),
        length=_length(headers),
        protocol=protocol,
        expects_continue=any(
            name == b"expect" and value.lower() == b"100-continue" for name, value in headers
        ),
    )


def _with_host(authority: bytes | None, headers: list[Field]) -> list[Field]:
    hosts = {value for name, value in headers if name == b"host"}
    if authority is not None:
        hosts.add(authority)
    if len(hosts) != 1:
        raise Malformed("The host is missing, or named in two ways.")
    [host] = hosts
    if not is_host(host.decode("latin-1")):
        raise Malformed("The host is none.")
    return [(b"host", host), *(field for field in headers if field[0] != b"host")]


def _length(headers: list[Field]) -> int | None:
    lengths = [value for name, value in headers if name == b"content-length"]
    if not lengths:
        return None
    if len(lengths) > 1 or _LENGTH(lengths[0]) is None:
        raise Malformed("The length is none, or said twice.")
    return int(lengths[0])
