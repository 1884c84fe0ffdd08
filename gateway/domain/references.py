"""The addresses that an answer's headers name: those of the upstream become the gate's own.

An upstream writes `Location` as if it were asked directly: with its own host, or with a path that
is its own. What points at it is written anew as a path of the gate, under which the same thing is
found; what points at it and cannot be reached through the gate is left out, since it tells nobody
anything but where the upstream is. Other hosts, and references relative to the request, stay as
they are. A credential that the gate put into the query is taken out wherever it is echoed.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote_plus, urlsplit

from gateway.domain.clusters import Cluster
from gateway.domain.headers import Pair
from gateway.domain.transforms import Transform

PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}
DEFAULT_PORTS = {**PORTS, "h2c": 80, "h2": 443, "grpc": 80, "grpcs": 443}
"""Of upstreams' addresses."""
_NO_CHANGES = Transform()

_INVISIBLE = re.compile(r"[\x00-\x20\x7f]+")
_REFRESH = re.compile(r"(\s*[0-9.]+\s*[;,]?\s*(?:url\s*=\s*)?)(['\"]?)(.*?)\2\s*", re.IGNORECASE)
_LINKED = re.compile(r"<([^<>]*)>")


class _Unreachable(ValueError):
    """It points at the upstream, at nothing that the gate serves."""


@dataclass(frozen=True, slots=True)
class References:
    """Of one service's answers. `prefix` is what its paths have before them at the gate."""

    cluster: Cluster
    prefix: str
    called_host: str
    called_path: str
    """After the prefix."""

    def headers(self, pairs: Iterable[Pair]) -> list[tuple[bytes, bytes]]:
        """Those that the client gets, as it gets them."""
        all_ = [(name, self.rewritten(name, value)) for name, value in pairs]
        return [
            (name.encode(), value.encode("latin-1")) for name, value in all_ if value is not None
        ]

    def rewritten(self, name: str, value: str) -> str | None:
        """A header's value as the client gets it; None: it does not get the header."""
        try:
            return FORMS[name](self, value)
        except ValueError:
            return None

    def reference(self, text: str) -> str:
        # Browsers drop tabs and line ends within an address: so does whoever judges it.
        said = urlsplit(_INVISIBLE.sub("", text))
        parts = self._without_credential(said)
        unchanged = text if parts is said else parts.geturl()
        if parts.scheme not in {"", *PORTS}:
            return unchanged
        if not parts.netloc:
            return self._own_path(parts, unchanged)
        if not self._is_upstream(parts):
            return unchanged
        path = self._public(parts.path or "/")
        if path is None:
            raise _Unreachable
        return _at(path, parts)

    def _own_path(self, parts: SplitResult, unchanged: str) -> str:
        """A path of the upstream's, unless it knows where it stands behind the gate."""
        path = parts.path
        if not path.startswith("/") or (self.prefix and _below(path, self.prefix) is not None):
            return unchanged
        public = self._public(path)
        return unchanged if public is None else _at(public, parts)

    def _is_upstream(self, parts: SplitResult) -> bool:
        places = [urlsplit(place.url) for place in self.cluster.places]
        if any(_same_host(parts, place) for place in places):
            return True
        changes = self.cluster.transform or _NO_CHANGES
        sent = changes.host or (self.called_host if changes.keeps_host else "")
        return bool(sent) and _same_host(parts, urlsplit(f"{parts.scheme or 'http'}://{sent}"))

    def _public(self, path: str) -> str | None:
        """The path at the gate that is sent as `path`."""
        for base in dict.fromkeys(urlsplit(place.url).path for place in self.cluster.places):
            rest = _below(path, base.rstrip("/"))
            if rest is not None:
                break
        else:
            return None
        changes = self.cluster.transform or _NO_CHANGES
        rest = _below(rest, changes.add_prefix)
        if rest is None:
            return None
        if changes.strip_prefix and _below(self.called_path, changes.strip_prefix) is not None:
            rest = changes.strip_prefix + rest
        # Two slashes at the beginning would name a host, and so does a backslash to a browser.
        return self.prefix + "/" + rest.lstrip("/").replace("\\", "%5C")

    def _without_credential(self, parts: SplitResult) -> SplitResult:
        credential = (self.cluster.transform or _NO_CHANGES).credential
        if credential is None or not credential.in_query or not parts.query:
            return parts
        kept = [
            pair
            for pair in parts.query.split("&")
            if unquote_plus(pair.partition("=")[0]) != credential.name
        ]
        return parts._replace(query="&".join(kept))


def _refresh(references: References, value: str) -> str:
    found = _REFRESH.fullmatch(value)
    if found is None or not found[3]:
        return value
    return f"{found[1]}{found[2]}{references.reference(found[3])}{found[2]}"


def _links(references: References, value: str) -> str:
    return _LINKED.sub(lambda found: f"<{references.reference(found[1])}>", value)


def _below(path: str, base: str) -> str | None:
    """What `path` has after `base`, by whole segments."""
    if path == base:
        return "/"
    return path[len(base) :] if path.startswith(f"{base}/") else None


def _at(path: str, parts: SplitResult) -> str:
    return parts._replace(scheme="", netloc="", path=path).geturl()


def _same_host(one: SplitResult, other: SplitResult) -> bool:
    """Default ports are one, of either scheme: an upstream may not know that it is behind TLS."""
    if one.hostname is None or one.hostname.rstrip(".") != (other.hostname or "").rstrip("."):
        return False
    ports = [each.port or DEFAULT_PORTS.get(each.scheme or "http") for each in (one, other)]
    return ports[0] == ports[1] or set(ports) <= set(PORTS.values())


FORMS: dict[str, Callable[[References, str], str]] = {
    "location": References.reference,
    "content-location": References.reference,
    "refresh": _refresh,
    "link": _links,
}
"""By the header's name."""
