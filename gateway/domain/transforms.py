"""What a provider has changed in each call on its way to the upstream and back.

A credential of the provider's takes the place of whatever a client sent under its name, in any
spelling that a server might take for it. Nothing here can touch what frames a message, what belongs
to one hop, or what the gate itself says: those names are refused when a snapshot is read, and the
gate writes its own headers after these rules, and sifts an answer's after them.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import quote, unquote_plus

from gateway.domain import reading
from gateway.domain.headers import HOP_BY_HOP, OURS, SPOOFABLE, TOKEN_HEADER, Pair, is_host
from gateway.domain.paths import AmbiguousPath, canonical

UNTOUCHABLE = HOP_BY_HOP | {
    "host",
    "content-length",
    "content-encoding",
    "expect",
    "date",
    "server",
}
UNTOUCHABLE |= SPOOFABLE | {TOKEN_HEADER.decode(), "cookie", "set-cookie", "set-cookie2"}
HEADERS_MAX = 32
VALUE_LENGTH_MAX = 2_000

_NAME = re.compile(r"[a-z0-9!#$%&'*+.^`|~-]{1,100}").fullmatch
_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?").fullmatch
_PARAMETER = re.compile(r"[A-Za-z0-9._~-]{1,100}").fullmatch


class TransformError(ValueError):
    """A rule that the gate does not follow; the message is for its provider."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What the upstream asks for, and no client ever sees."""

    in_query: bool
    name: str
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Transform:
    strip_prefix: str = ""
    add_prefix: str = ""
    keeps_host: bool = False
    host: str = ""
    """Of its own; empty: the upstream's."""
    request_set: tuple[Pair, ...] = ()
    request_remove: frozenset[str] = frozenset()
    response_set: tuple[Pair, ...] = ()
    response_remove: frozenset[str] = frozenset()
    credential: Credential | None = None

    @property
    def changes_host(self) -> bool:
        return self.keeps_host or bool(self.host)

    def path(self, path: str) -> str:
        """By whole segments; a path that does not begin with the prefix keeps what it has."""
        prefix = self.strip_prefix
        if prefix and (path == prefix or path.startswith(f"{prefix}/")):
            path = path[len(prefix) :] or "/"
        return self.add_prefix + path

    def query(self, query: str) -> str:
        credential = self.credential
        if credential is None or not credential.in_query:
            return query
        kept = [
            part
            for part in query.split("&")
            if part and unquote_plus(part.partition("=")[0]) != credential.name
        ]
        return "&".join([*kept, f"{credential.name}={quote(credential.value, safe='')}"])

    def request(self, headers: list[Pair], host: str) -> list[Pair]:
        """Before the gate adds its own. `host`: the service's own name, as the client called it."""
        credential = self.credential
        added = [*self.request_set]
        if credential is not None and not credential.in_query:
            added.append((credential.name, credential.value))
        gone = self.request_remove.union(name for name, _ in added)
        if gone:
            headers = [pair for pair in headers if pair[0].replace("_", "-") not in gone]
        sent_host = self.host or (host if self.keeps_host and is_host(host) else "")
        if sent_host:
            added.append(("host", sent_host))
        return headers + added

    def response(self, headers: Iterable[Pair]) -> list[Pair]:
        gone = self.response_remove.union(name for name, _ in self.response_set)
        return [*(pair for pair in headers if pair[0] not in gone), *self.response_set]


def header_name(text: str) -> str:
    """The name of a header that a rule may change, or TransformError."""
    name = text.strip().lower()
    if not _NAME(name):
        raise TransformError(f"{text.strip()!r} is not the name of a header.")
    if name in UNTOUCHABLE or name.startswith((*OURS, "ratelimit")):
        raise TransformError(f"{name} is not yours to change: the gate answers for it.")
    return name


def header_value(text: str) -> str:
    value = text.strip()
    if len(value) > VALUE_LENGTH_MAX or not _VALUE(value):
        raise TransformError("A header's value is printable ASCII on one line.")
    return value


def header_line(text: str) -> Pair:
    """`Name: value`."""
    name, colon, value = text.partition(":")
    if not colon:
        raise TransformError(f"{text.strip()!r} is not a line of the form Name: value.")
    return header_name(name), header_value(value)


def credential_of(place: str, name: str, value: str) -> Credential:
    if place == "header":
        return Credential(in_query=False, name=header_name(name), value=header_value(value))
    if place != "query" or not _PARAMETER(name):
        raise TransformError(f"{name!r} is not the name of a query parameter.")
    return Credential(in_query=True, name=name, value=header_value(value))


def prefix_of(text: str) -> str:
    """A path prefix in the form in which it is sent, without a final slash."""
    try:
        path = canonical(text.encode()).decode() if text else ""
    except AmbiguousPath as exc:
        raise TransformError(f"This path cannot be used: {exc}.") from exc
    if path != text or "?" in text or "#" in text:
        raise TransformError("A path such as /v2, written as it is sent.")
    return path.rstrip("/")


def host_of(text: str) -> str:
    if text and not is_host(text):
        raise TransformError("A host name such as api.example.com, with or without a port.")
    return text.lower()


def transform(entry: reading.Object) -> Transform:
    """What a service's entry says; TransformError or reading.Unreadable where it says too much."""
    said = entry.unread.get("credential")
    secret = entry.part("credential") if said else None
    return Transform(
        strip_prefix=prefix_of(entry.optional_text("strip_prefix") or ""),
        add_prefix=prefix_of(entry.optional_text("add_prefix") or ""),
        keeps_host=entry.unread.get("keeps_host") is True,
        host=host_of(entry.optional_text("host") or ""),
        request_set=tuple(_pairs(entry, "request_set")),
        request_remove=frozenset(_names(entry, "request_remove")),
        response_set=tuple(_pairs(entry, "response_set")),
        response_remove=frozenset(_names(entry, "response_remove")),
        credential=credential_of(secret.text("in"), secret.text("name"), secret.text("value"))
        if secret
        else None,
    )


def _pairs(entry: reading.Object, name: str) -> list[Pair]:
    return [header_line(line) for line in _lines(entry, name)]


def _names(entry: reading.Object, name: str) -> list[str]:
    return [header_name(line) for line in _lines(entry, name)]


def _lines(entry: reading.Object, name: str) -> list[str]:
    lines = entry.texts(name) if entry.unread.get(name) else []
    if len(lines) > HEADERS_MAX:
        raise entry.wrong(f"{name} has more than {HEADERS_MAX} lines")
    return lines
