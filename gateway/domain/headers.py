"""Which of a request's headers cross the gate, and which the gate writes itself.

Nothing that frames or routes this hop, no credential of ours, no cookie of the site, and no header
by which a client could pass for the gate (identity, forwarding, method or URL overrides), in
whatever spelling a CGI-like server takes for them (`_` for `-`). The other way: answers.py.
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable
from functools import lru_cache

from gateway.domain.tokens import is_ours

Raw = Iterable[tuple[bytes, bytes]]
Pair = tuple[str, str]

# microsoft/reverse-proxy's RequestUtilities, with `trailer`: no trailers cross here, nor `te`.
HOP_BY_HOP = frozenset(
    [
        "connection",
        "transfer-encoding",
        "keep-alive",
        "upgrade",
        "proxy-connection",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-authorization",
        "proxy-features",
        "proxy-instruction",
        "security-scheme",
        "alpn",
        "close",
        "http2-settings",
        "upgrade-insecure-requests",
        "te",
        "alt-svc",
        "trailer",
    ]
)
SPOOFABLE = frozenset(
    [
        "forwarded",
        "x-real-ip",
        "x-original-url",
        "x-rewrite-url",
        "x-original-host",
        "x-host",
        "x-http-method",
        "x-http-method-override",
        "x-method-override",
        "x-client-ip",
        "true-client-ip",
    ]
)
OURS = ("apicharge-", "x-apicharge-", "x-forwarded-")
_OURS = tuple(prefix.encode() for prefix in OURS)
EVENTS = "text/event-stream"
TOKEN_HEADER = b"apicharge"
TOKEN_COOKIE = "apicharge"  # noqa: S105 - a cookie's name
SIGNATURE_HEADER = "apicharge-signature"

HOST_LENGTH_MAX = 262
"""A name and a port."""
_HOST = re.compile(r"[A-Za-z0-9._\-]+(?::[0-9]+)?|\[[0-9A-Fa-f:.]+\](?::[0-9]+)?").fullmatch


def is_host(text: str) -> bool:
    """Whether this can stand in a Host header."""
    return len(text) <= HOST_LENGTH_MAX and _is_host(text)


@lru_cache(maxsize=1024)
def _is_host(text: str) -> bool:
    return _HOST(text) is not None


class RequestHead:
    # Class attributes: what most requests do not say costs them nothing.
    host = ""
    is_misnamed = False
    """Its host is none, or it names two."""
    origin = False
    length: int | None = None
    chunked = False
    awaits_events = False
    undecodable = 0
    header_token: str | None = None
    authorization_token: str | None = None
    cookie_token: str | None = None
    nominated: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self.forward: list[Pair] = []

    @property
    def has_body(self) -> bool:
        return self.chunked or bool(self.length)

    @property
    def token(self) -> str | None:
        """The first that is present, be it good or bad."""
        if self.header_token is not None:
            return self.header_token
        return self.cookie_token if self.authorization_token is None else self.authorization_token


def sift(raw: Raw, console_cookies: frozenset[str]) -> RequestHead:
    """What the gate needs of a request's headers, and what of them goes on."""
    head = RequestHead()
    forward = head.forward
    for name, value in raw:
        try:
            if (crosses := _crossing.get(name)) is not None:
                if crosses:
                    forward.append((crosses, value.decode()))
            elif (read := _SPECIAL.get(name)) is not None:
                read(head, value.decode("ascii", "replace"))
            elif crosses := _seldom(head, name, value, console_cookies):
                forward.append((crosses, value.decode()))
        except UnicodeDecodeError:
            head.undecodable += 1
    if head.nominated:
        head.forward = [pair for pair in forward if pair[0] not in head.nominated]
    return head


NAMES_KEPT = 1000
_crossing: dict[bytes, str] = {}
"""Names that were decided on: what each crosses as, or nothing."""


def _seldom(head: RequestHead, name: bytes, value: bytes, console_cookies: frozenset[str]) -> str:
    """Reads the cookies, or decides on a name that was not met before."""
    if name in _COOKIE:
        _cookie(head, value.decode(), console_cookies)
        return ""
    crosses = "" if name in _DROPPED or _is_spelled_like_ours(name) else name.decode("ascii")
    if len(_crossing) < NAMES_KEPT:
        _crossing[name] = crosses
    return crosses


def header(raw: Raw, name: bytes) -> str | None:
    """The first value of one header, for what only few requests are asked."""
    for each, value in raw:
        if each == name:
            return value.decode("latin-1")
    return None


def _is_spelled_like_ours(name: bytes) -> bool:
    if b"_" in name:
        name = name.replace(b"_", b"-")
        return name in _DROPPED or name in _SPECIAL or name in _COOKIE or name.startswith(_OURS)
    return name.startswith(_OURS)


def _take_token(head: RequestHead, value: str) -> None:
    if head.header_token is None:
        head.header_token = value.strip()


def _authorization(head: RequestHead, value: str) -> None:
    scheme, _, credential = value.partition(" ")
    ours = scheme.lower() == "apicharge" or (scheme.lower() == "bearer" and is_ours(credential))
    if not ours:
        head.forward.append(("authorization", value))
    elif head.authorization_token is None:
        head.authorization_token = credential.strip()


def _connection(head: RequestHead, value: str) -> None:
    head.nominated |= {token.strip().lower() for token in value.split(",")}


def _host(head: RequestHead, value: str) -> None:
    if not is_host(value) or head.host not in {"", value}:
        head.is_misnamed = True
    head.host = value


def _origin(head: RequestHead, value: str) -> None:
    head.origin = True
    head.forward.append(("origin", value))


def _accept(head: RequestHead, value: str) -> None:
    head.awaits_events = EVENTS in value
    head.forward.append(("accept", value))


def _content_length(head: RequestHead, value: str) -> None:
    head.length = int(value) if value.isdecimal() else None


def _transfer_encoding(head: RequestHead, _value: str) -> None:
    head.chunked = True


def _cookie(head: RequestHead, value: str, console_cookies: frozenset[str]) -> None:
    kept = []
    for pair in value.split(";"):
        name, _, content = pair.strip().partition("=")
        if name == TOKEN_COOKIE:
            head.cookie_token = head.cookie_token or content.strip('"')
        elif name not in console_cookies and name:
            kept.append(pair.strip())
    if kept:
        head.forward.append(("cookie", "; ".join(kept)))


_SPECIAL: dict[bytes, Callable[[RequestHead, str], None]] = {
    TOKEN_HEADER: _take_token,
    b"authorization": _authorization,
    b"accept": _accept,
    b"connection": _connection,
    b"host": _host,
    b"origin": _origin,
    b"content-length": _content_length,
    b"transfer-encoding": _transfer_encoding,
}
_COOKIE = frozenset({b"cookie"})
# `expect` is answered by our own server; the length is written anew.
_DROPPED = frozenset(name.encode() for name in HOP_BY_HOP | SPOOFABLE | {"expect"})


@lru_cache(maxsize=4096)
def forwarding(address: str, scheme: str, host: str) -> tuple[Pair, ...]:
    """Who asked, by what we saw ourselves; what a client claims about that was removed."""
    node = f'"[{address}]"' if ":" in address else address
    known_host = host if is_host(host) else ""
    parts = [f"for={node}", *([f'host="{known_host}"'] if known_host else []), f"proto={scheme}"]
    return (
        ("forwarded", ";".join(parts)),
        ("x-forwarded-for", address),
        ("x-forwarded-proto", scheme),
        *((("x-forwarded-host", known_host),) if known_host else ()),
    )


def signature(
    secret: bytes, *, method: str, path: str, identity: Iterable[Pair], now_s: int
) -> str:
    """`ApiCharge-Signature` over a proxied request.

    protocol.md section 2's scheme; the body streams, so in the place of its hash stands the hash of
    the identity headers, one `name: value` a line, in the order in which they are sent.
    """
    lines = "\n".join(f"{name}: {value}" for name, value in identity)
    digest = hashlib.sha256(lines.encode()).hexdigest()
    message = f"{now_s}\n{method}\n{path}\n{digest}".encode()
    return f"t={now_s},v1={hmac.digest(secret, message, 'sha256').hex()}"
