"""The upstream's answer on its way to the client: which headers pass, which are rewritten.

A client sees the gate's CORS policy and limits, never the upstream's: it is the gate that answered
the preflight and counts the calls. Under the main host an upstream's page gets an origin of its own
(`sandbox`).
"""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache

from gateway.domain.headers import EVENTS, HOP_BY_HOP, OURS, Pair
from gateway.domain.references import FORMS

Headers = list[tuple[bytes, bytes]]

# `date` and `server` are ours to say; the rest speaks for a whole origin.
DROPPED = HOP_BY_HOP | {
    "date",
    "server",
    "strict-transport-security",
    "clear-site-data",
    "service-worker-allowed",
    "public-key-pins",
    "public-key-pins-report-only",
    "nel",
    "report-to",
    "reporting-endpoints",
    "set-cookie2",
    "ratelimit",
    "ratelimit-policy",
    "retry-after-ms",
}
OTHERS = (*OURS, "access-control-", "x-ratelimit-", "ratelimit-")
PRIVATE = "private"
SHARED_CACHE = frozenset({"public", "private", "s-maxage", "proxy-revalidate"})
VARY = (b"vary", b"apicharge, authorization, cookie")
UNCACHED = [(b"cache-control", PRIVATE.encode()), VARY]
SANDBOX = [(b"content-security-policy", b"sandbox"), (b"x-content-type-options", b"nosniff")]
CORS = [(b"access-control-allow-origin", b"*"), (b"access-control-expose-headers", b"*")]
WITHOUT_BODY = frozenset({204, 304})
PREFLIGHT_SECONDS = 600
CREDITS_MAX = 2**53 - 1

_CONSUMED = re.compile(r"\s*([a-z]+)\s*=\s*([0-9]{1,16})\s*").fullmatch
_ADJUSTED = re.compile(r"\s*credits\s*=\s*([+-])([0-9]{1,16})\s*").fullmatch
_FIELD_NAMES = re.compile(r"[A-Za-z0-9\-_, ]{0,2000}").fullmatch


class AnswerHead:
    # Class attributes: what most answers do not say costs them nothing.
    length: int | None = None
    is_chunked = False
    is_events = False
    is_encoded = False
    cache_control: str | None = None
    consume: str | None = None
    adjust: str | None = None
    grpc_status: str | None = None
    addresses: tuple[Pair, ...] = ()
    """Headers that name addresses: whoever knows where the gate is rewrites them."""

    def __init__(self, *, own_host: bool, has_body: bool = True) -> None:
        self.own_host = own_host
        self.has_body = has_body
        self.headers: Headers = []


def pass_on(
    items: Iterable[Pair], *, status: int, own_host: bool, sandboxed: bool = True
) -> AnswerHead:
    """The headers that cross, and what the pump has to know of those that do not.

    Not `sandboxed`: whoever asks says SANDBOX himself.
    """
    head = AnswerHead(own_host=own_host, has_body=status not in WITHOUT_BODY)
    headers = head.headers
    for name, value in items:
        if (crosses := _crossing.get(name)) is not None:
            if crosses:
                headers.append((crosses, value.encode("latin-1")))
        elif (read := _SPECIAL.get(name)) is not None:
            read(head, value)
        elif crosses := _decided(name):
            headers.append((crosses, value.encode("latin-1")))
    _complete(head)
    if sandboxed and not own_host:
        head.headers += SANDBOX
    return head


def trailing(items: Iterable[Pair]) -> AnswerHead:
    """The same for trailers: nothing that frames, routes or describes a body is one."""
    head = AnswerHead(own_host=False)
    for name, value in items:
        if name in SAID_IN_TRAILERS:
            _SPECIAL[name](head, value)
        elif name not in _SPECIAL and (crosses := _crossing.get(name) or _decided(name)):
            head.headers.append((crosses, value.encode("latin-1")))
    return head


def _complete(head: AnswerHead) -> None:
    if head.length is not None:
        if head.is_chunked or not head.has_body:
            head.length = None
        else:
            head.headers.append((b"content-length", b"%d" % head.length))
    head.headers += UNCACHED if head.cache_control is None else _cached(head.cache_control)


def _cached(cache_control: str) -> Headers:
    return [(b"cache-control", privately(cache_control)), VARY]


NAMES_KEPT = 1000
_crossing: dict[str, bytes] = {}
"""Names that were decided on: what each crosses as, or nothing."""


def _decided(name: str) -> bytes:
    crosses = b"" if name in DROPPED or name.startswith(OTHERS) else name.encode("ascii")
    if len(_crossing) < NAMES_KEPT:
        _crossing[name] = crosses
    return crosses


@lru_cache(maxsize=1024)
def privately(cache_control: str | None) -> bytes:
    """The upstream's Cache-Control without leave for shared caches."""
    directives = [each.strip() for each in (cache_control or "").split(",")]
    kept = [each for each in directives if each and _directive(each) not in SHARED_CACHE]
    return ", ".join([PRIVATE, *kept]).encode("latin-1")


def _directive(text: str) -> str:
    return text.partition("=")[0].strip().lower()


def consumed(text: str | None) -> dict[str, int]:
    """What an exchange really cost, by the kind of limit: `credits=12, calls=0`.

    What cannot be read settles nothing: the reserved cost stands.
    """
    figures: dict[str, int] = {}
    for part in (text or "").split(","):
        if found := _CONSUMED(part):
            figures[found[1]] = min(int(found[2]), CREDITS_MAX)
    return figures


def adjusted(text: str | None) -> int:
    """`credits=+100`, `credits=-5`: given to the grant, or taken. The sign is required."""
    total = 0
    for part in (text or "").split(","):
        if found := _ADJUSTED(part):
            total += int(found[1] + str(min(int(found[2]), CREDITS_MAX)))
    return max(-CREDITS_MAX, min(total, CREDITS_MAX))


def preflight(requested_headers: str | None, methods: Iterable[str]) -> Headers:
    """Anybody may call from anywhere with a token in a header; cookies never count cross-site."""
    allowed = requested_headers or "apicharge, authorization, content-type"
    if not _FIELD_NAMES(allowed):
        allowed = "apicharge"
    return [
        (b"access-control-allow-origin", b"*"),
        (b"access-control-allow-methods", ", ".join(sorted(methods)).encode()),
        (b"access-control-allow-headers", allowed.encode()),
        (b"access-control-max-age", b"%d" % PREFLIGHT_SECONDS),
        (b"vary", b"access-control-request-headers"),
    ]


def _content_length(head: AnswerHead, value: str) -> None:
    head.length = int(value) if value.isdecimal() else None


def _transfer_encoding(head: AnswerHead, _value: str) -> None:
    head.is_chunked = True


def _content_type(head: AnswerHead, value: str) -> None:
    head.is_events = value.lstrip().lower().startswith(EVENTS)
    head.headers.append((b"content-type", value.encode("latin-1")))


def _content_encoding(head: AnswerHead, value: str) -> None:
    head.is_encoded = value.strip().lower() != "identity"
    head.headers.append((b"content-encoding", value.encode("latin-1")))


def _cache_control(head: AnswerHead, value: str) -> None:
    head.cache_control = f"{head.cache_control},{value}" if head.cache_control else value


def _set_cookie(head: AnswerHead, value: str) -> None:
    """On a host of its own an upstream may set cookies, for that host alone."""
    attributes = {_directive(each) for each in value.split(";")[1:]}
    if head.own_host and "domain" not in attributes:
        head.headers.append((b"set-cookie", value.encode("latin-1")))


def _consume(head: AnswerHead, value: str) -> None:
    head.consume = f"{head.consume},{value}" if head.consume else value


def _adjust(head: AnswerHead, value: str) -> None:
    head.adjust = f"{head.adjust},{value}" if head.adjust else value


def _names_addresses(name: str) -> Callable[[AnswerHead, str], None]:
    def read(head: AnswerHead, value: str) -> None:
        head.addresses += ((name, value),)

    return read


def _grpc_status(head: AnswerHead, value: str) -> None:
    head.grpc_status = value
    head.headers.append((b"grpc-status", value.encode("latin-1")))


def _of_the_main_host(name: bytes) -> Callable[[AnswerHead, str], None]:
    """A header that the gate writes itself on the main host."""

    def read(head: AnswerHead, value: str) -> None:
        if head.own_host:
            head.headers.append((name, value.encode("latin-1")))

    return read


_SPECIAL: dict[str, Callable[[AnswerHead, str], None]] = {
    "content-length": _content_length,
    "transfer-encoding": _transfer_encoding,
    "content-type": _content_type,
    "content-encoding": _content_encoding,
    "cache-control": _cache_control,
    "set-cookie": _set_cookie,
    "apicharge-consume": _consume,
    "apicharge-adjust": _adjust,
    "grpc-status": _grpc_status,
    **{name: _names_addresses(name) for name in FORMS},
    "content-security-policy": _of_the_main_host(b"content-security-policy"),
    "x-content-type-options": _of_the_main_host(b"x-content-type-options"),
}
SAID_IN_TRAILERS = frozenset({"apicharge-consume", "apicharge-adjust", "grpc-status"})
