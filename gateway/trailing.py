"""Calling an upstream that speaks HTTP/2, or whose answers have trailers: pyqwest.

The rules are upstream.py's: one client per (host, checked address), which resolves nothing, follows
no redirect, keeps no cookie and inflates nothing. pyqwest obeys proxy variables unless it is given
a proxy; so it is given one for the scheme that this client never calls.

A call that is cancelled is aborted at once, whether its answer has begun or not.
"""

import re
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, Protocol

import pyqwest
from pyreqwest.http import Url

from gateway.addresses import Address, Place
from gateway.building import IDLE_CONNECTION_SECONDS, USER_AGENT
from gateway.domain.clusters import Tls
from gateway.domain.errors import UpstreamFault
from gateway.domain.exchange import End
from gateway.domain.headers import Pair
from gateway.domain.routes import Timeouts
from gateway.domain.transforms import Transform

NEVER_CALLED = "http://127.0.0.1:9"
CONNECT_PHASE = "client error (Connect)"
NOT_HTTP = re.compile(r"invalid .* parsed|frame with invalid|http2 error")
FAULTS = (
    ConnectionError,
    TimeoutError,
    pyqwest.RemoteProtocolError,
    pyqwest.ReadError,
    pyqwest.WriteError,
)
_PRIVATE_KEY = re.compile(
    rb"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----\s*", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Sent:
    """One request as it is written, but for its body."""

    method: str
    url: str
    path: str
    headers: list[Pair]


class Asking(Protocol):
    """The body of a request, made anew for each attempt."""

    def __call__(self) -> AsyncIterator[bytes]: ...


class TrailingAnswer:
    """An answer whose head has come. `read` is None at the end of the body, or UpstreamFault."""

    __slots__ = ("_changes", "_content", "_response", "status")
    may_have_trailers = True
    is_ahead = False

    def __init__(self, response: pyqwest.Response, changes: Transform | None) -> None:
        self._response = response
        self._content = response.content
        self._changes = changes
        self.status = response.status

    def headers(self) -> tuple[Iterable[Pair], int]:
        pairs = list(self._response.headers.items())
        return (self._changes.response(pairs) if self._changes else pairs), 0

    async def read(self) -> bytes | None:
        try:
            return bytes(await anext(self._content))
        except StopAsyncIteration:
            return None
        except FAULTS as exc:
            raise UpstreamFault(End.UPSTREAM_TRUNCATED, "The API's answer broke off.") from exc

    def trailers(self) -> Sequence[Pair]:
        """Once the body was read to its end."""
        return list(self._response.trailers.items())

    def has_events(self) -> None:
        """Heads are never held back here."""

    async def close(self) -> None:
        with suppress(*FAULTS):
            await self._response.aclose()


class TrailingClient:
    """To one address."""

    def __init__(
        self,
        place: Place,
        address: Address,
        timeouts: Timeouts,
        *,
        tls: Tls,
        root_certificates: Sequence[bytes],
        pool_idle_max: int,
    ) -> None:
        other_scheme: Literal["http", "https"] = "http" if place.is_secure else "https"
        self._names_host = not place.is_http2
        authorities = b"\n".join([*root_certificates, tls.authorities]).strip()
        key = _PRIVATE_KEY.search(tls.identity)
        self._transport = pyqwest.HTTPTransport(
            tls_ca_cert=authorities or None,
            tls_include_system_certs=True,
            tls_key=key[0] if key else None,
            tls_cert=_PRIVATE_KEY.sub(b"", tls.identity) if key else None,
            http_version=_version(place),
            proxy=pyqwest.Proxy(NEVER_CALLED, scheme=other_scheme),
            connect_timeout=timeouts.connect_ms / 1000,
            pool_idle_timeout=IDLE_CONNECTION_SECONDS,
            pool_max_idle_per_host=pool_idle_max,
            enable_gzip=False,
            enable_brotli=False,
            enable_zstd=False,
            dns_overrides={place.host: [str(address)]} if place.literal is None else None,
            follow_redirects=False,
            enable_otel=False,
        )

    async def send(
        self, sent: Sent, body: Asking | None, changes: Transform | None
    ) -> TrailingAnswer:
        # HTTP/2 names the host in the request's first line, and by its address.
        passed = sent.headers if self._names_host else [p for p in sent.headers if p[0] != "host"]
        headers = [*passed, ("te", "trailers")]
        if all(name != "user-agent" for name, _ in headers):
            headers.append(("user-agent", USER_AGENT))
        would_send = Url(sent.url).path
        assert would_send == sent.path, f"decided {sent.path}, would send {would_send}"
        try:
            request = pyqwest.Request(
                sent.method, sent.url, pyqwest.Headers(headers), None if body is None else body()
            )
        except ValueError as exc:
            raise UpstreamFault(End.REQUEST_MALFORMED, "A header is not text.") from exc
        try:
            return TrailingAnswer(await self._transport.execute(request), changes)
        except FAULTS as exc:
            raise _fault(exc) from exc

    async def close(self) -> None:
        await self._transport.aclose()


def _version(place: Place) -> pyqwest.HTTPVersion | None:
    """None leaves it to the handshake of TLS."""
    if place.is_http2:
        return pyqwest.HTTPVersion.HTTP2
    return None if place.is_secure else pyqwest.HTTPVersion.HTTP1


def _fault(exc: BaseException) -> UpstreamFault:
    said = str(exc)
    if CONNECT_PHASE in said:
        return UpstreamFault(End.UPSTREAM_UNREACHABLE, "The API could not be reached.")
    if isinstance(exc, TimeoutError):
        return UpstreamFault(End.UPSTREAM_SILENT, "The API did not answer in time.")
    if NOT_HTTP.search(said):
        return UpstreamFault(End.UPSTREAM_INVALID, "The API answered something that is not HTTP.")
    return UpstreamFault(End.UPSTREAM_DROPPED, "The API closed the connection without an answer.")
