"""Calling the upstream: one pinned client per (host, checked address), faults named once.

Of two kinds: pyreqwest is the faster one, and knows no trailers; trailing.py does.

A client resolves nothing itself: its host is a literal address, or a name pinned to the address
that addresses.py checked, for as long as the check is fresh. It follows no redirect, keeps no
cookie, inflates nothing, obeys no proxy variable. What it sends is asserted to be what was decided.

Only a failed connection is tried again, at the next address: nothing was sent then. pyreqwest's
ConnectError alone does not say so; its cause does.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from pyreqwest import exceptions as pyreqwest
from pyreqwest.bytes import Bytes
from pyreqwest.client import Client
from pyreqwest.request import StreamRequest
from pyreqwest.response import Response

from gateway.addresses import Address, AddressRefused, Place, Policy, Unresolvable, parse, resolve
from gateway.building import builder_for
from gateway.domain.balancing import Destination
from gateway.domain.clusters import Cluster
from gateway.domain.errors import UpstreamFault
from gateway.domain.exchange import End
from gateway.domain.headers import Pair
from gateway.domain.routes import ClientKey, Timeouts
from gateway.domain.transforms import Transform
from gateway.trailing import Sent, TrailingAnswer, TrailingClient

ADDRESS_FRESH_SECONDS = 30.0
CONNECT_PHASE = "client error (Connect)"
ABANDONED_MS = 1_000
UPLOAD_SECONDS_MAX = 7 * 86_400.0
LETTING_GO_SECONDS = 0.3
"""pyqwest's threads let go of connections a moment later; ended with its process, one aborts it."""
NO_ADDRESS = "The API has no address that may be called."
"""Its provider reads why in the admin; a caller learns no address."""


@dataclass(slots=True)
class Asked:
    """One upstream request, but for its body."""

    cluster: Cluster
    timeouts: Timeouts
    method: str
    path: str
    query: str
    headers: list[Pair]
    awaits_events: bool
    ends_in_s: float = UPLOAD_SECONDS_MAX
    """Until the token that it is asked with ends."""
    at: Destination | None = None
    """Where it is being asked, if there was something to choose."""

    def leave(self) -> None:
        """The exchange is over, or goes elsewhere."""
        if self.at is not None:
            self.at.end()
            self.at = None


Body = Callable[[], AsyncIterator[bytes]]
"""Makes the stream of a request's body, for each attempt to send it."""


class Answer:
    """An answer whose head has come. `read` is None at the end of the body, or UpstreamFault."""

    __slots__ = ("_changes", "_pin", "_read", "_request", "_response", "is_ahead", "status")
    may_have_trailers = False

    def __init__(
        self,
        request: StreamRequest,
        response: Response,
        pin: "_Pin",
        changes: Transform | None = None,
        *,
        is_ahead: bool,
    ) -> None:
        self._pin = pin
        self._changes = changes
        self._request = request
        self._response = response
        self._read: Callable[[], Awaitable[Bytes | None]] = response.body_reader.read_chunk
        self.status = response.status
        self.is_ahead = is_ahead
        """The beginning of the body is here, too."""

    def headers(self) -> tuple[Iterable[Pair], int]:
        """Every header that is text, and how many names had to be left out because it is not."""
        try:
            pairs, undecodable = list(self._response.headers.items()), 0
        except ValueError:
            pairs, undecodable = self._decodable()
        return (self._changes.response(pairs) if self._changes else pairs), undecodable

    def _decodable(self) -> tuple[list[Pair], int]:
        pairs: list[Pair] = []
        undecodable = 0
        for name in dict.fromkeys(self._response.headers.keys()):
            try:
                pairs += [(name, value) for value in self._response.get_header_all(name)]
            except ValueError:
                undecodable += 1
        return pairs, undecodable

    async def read(self) -> Bytes | None:
        try:
            return await self._read()
        except pyreqwest.PyreqwestError as exc:
            raise UpstreamFault(End.UPSTREAM_TRUNCATED, "The API's answer broke off.") from exc

    def trailers(self) -> Sequence[Pair]:
        return ()

    def has_events(self) -> None:
        """Remember that this upstream sends events: heads are not held back from now on."""
        self._pin.sends_events = True

    async def close(self) -> None:
        """Drop the connection; not needed once the body was read to its end."""
        await self._request.__aexit__(None, None, None)


AnyAnswer = Answer | TrailingAnswer


class Upstreams:
    def __init__(
        self, policy: Policy, *, pool_idle_max: int, root_certificates: Sequence[bytes] = ()
    ) -> None:
        self._policy = policy
        self._pool_idle_max = pool_idle_max
        self._root_certificates = root_certificates
        self._pins: dict[ClientKey, _Pin] = {}

    def send(self, base_url: str, asked: Asked, body: Body | None) -> Awaitable[AnyAnswer]:
        """The answer's head, from the first address of this upstream that takes the connection."""
        pin = self._pins.get((base_url, asked.cluster.client_id, *asked.timeouts))
        if pin is None or not (pin.is_literal or pin.is_fresh()):
            return self._send_pinned(base_url, asked, body)
        if len(pin.clients) == 1:
            return _send(pin.clients[0], pin, asked, body)
        return _send_to_one(pin, asked, body)

    def keep(self, asked: Container[ClientKey]) -> None:
        """Forget every other client: closed when the last exchange that uses it has ended."""
        for key in [key for key in self._pins if key not in asked]:
            del self._pins[key]

    async def _send_pinned(self, base_url: str, asked: Asked, body: Body | None) -> AnyAnswer:
        try:
            pin = await self._pin(base_url, asked.cluster, asked.timeouts)
        except (AddressRefused, Unresolvable) as exc:
            raise UpstreamFault(End.UPSTREAM_UNREACHABLE, NO_ADDRESS) from exc
        return await _send_to_one(pin, asked, body)

    async def _pin(self, base_url: str, cluster: Cluster, timeouts: Timeouts) -> "_Pin":
        place = parse(base_url)
        addresses = await resolve(place, self._policy)
        key = (base_url, cluster.client_id, *timeouts)
        known = self._pins.get(key)
        if known is not None and known.addresses == addresses:
            known.renew()
            return known
        try:
            clients = tuple(
                self._trailing(place, address, cluster, timeouts)
                if place.is_http2 or cluster.trailers
                else _Clients(
                    calls=self._client(place, address, (cluster, timeouts), timed=True),
                    uploads=self._client(place, address, (cluster, timeouts), timed=False),
                )
                for address in addresses
            )
        except (pyreqwest.PyreqwestError, ValueError, RuntimeError) as exc:
            raise UpstreamFault(
                End.UPSTREAM_UNREACHABLE, "The API's TLS cannot be set up."
            ) from exc
        pin = self._pins[key] = _Pin(place, addresses, clients)
        return pin

    def _client(
        self, place: Place, address: Address, terms: tuple[Cluster, Timeouts], *, timed: bool
    ) -> Client:
        certificates, idle_max = self._root_certificates, self._pool_idle_max
        builder = builder_for(*terms, certificates, pool_idle_max=idle_max)
        if place.literal is None:
            builder = builder.resolve(place.host, str(address), place.port)
        return (builder.read_timeout(_patience(terms[1])) if timed else builder).build()

    def _trailing(
        self, place: Place, address: Address, cluster: Cluster, timeouts: Timeouts
    ) -> TrailingClient:
        return TrailingClient(
            place,
            address,
            timeouts,
            tls=cluster.tls,
            root_certificates=self._root_certificates,
            pool_idle_max=self._pool_idle_max,
        )

    async def close(self) -> None:
        pins, self._pins = list(self._pins.values()), {}
        for pin in pins:
            for clients in pin.clients:
                await clients.close()
        if any(isinstance(pin.clients[0], TrailingClient) for pin in pins):
            await asyncio.sleep(LETTING_GO_SECONDS)


@dataclass(frozen=True, slots=True)
class _Clients:
    """To one address. An upload's reads may begin long after the request: no read timeout fits."""

    calls: Client
    uploads: Client

    async def close(self) -> None:
        await self.calls.close()
        await self.uploads.close()


class _Pin:
    """An upstream's checked addresses and the client of each; exchanges may outlive it."""

    __slots__ = (
        "addresses",
        "base",
        "base_path",
        "clients",
        "fresh_until",
        "is_literal",
        "sends_events",
    )

    def __init__(
        self,
        place: Place,
        addresses: tuple[Address, ...],
        clients: tuple["_Clients | TrailingClient", ...],
    ) -> None:
        self.base = place.http
        self.base_path = place.path
        self.addresses = addresses
        self.clients = clients
        self.is_literal = place.literal is not None
        self.sends_events = False
        self.renew()

    def renew(self) -> None:
        self.fresh_until = asyncio.get_running_loop().time() + ADDRESS_FRESH_SECONDS

    def is_fresh(self) -> bool:
        return asyncio.get_running_loop().time() < self.fresh_until


async def _send_to_one(pin: _Pin, asked: Asked, body: Body | None) -> AnyAnswer:
    """Each of the addresses in its turn; the last one's fault is the fault."""
    *others, last = pin.clients
    for clients in others:
        try:
            return await _send(clients, pin, asked, body)
        except UpstreamFault as exc:
            if exc.end is not End.UPSTREAM_UNREACHABLE:
                raise
    return await _send(last, pin, asked, body)


def _patience(timeouts: Timeouts) -> timedelta:
    """Longer than the watch waits: it ends what nobody reads any more.

    pyreqwest does not abort a request that is cancelled before its answer's head has come. The
    exchange is over then and settled, but the connection stays until the upstream answers or this;
    an upload's, which is broken off by its body while that is sent, until its token ends.
    """
    waited_ms = max(timeouts.first_byte_ms, timeouts.idle_ms)
    return timedelta(milliseconds=waited_ms + ABANDONED_MS)


def _send(
    clients: "_Clients | TrailingClient", pin: _Pin, asked: Asked, body: Body | None
) -> Awaitable[AnyAnswer]:
    url = f"{pin.base}{asked.path}?{asked.query}" if asked.query else pin.base + asked.path
    if isinstance(clients, _Clients):
        return _send_plain(clients, pin, url, asked, body)
    sent = Sent(asked.method, url, pin.base_path + asked.path, asked.headers)
    return clients.send(sent, body, asked.cluster.transform)


async def _send_plain(
    clients: _Clients, pin: _Pin, url: str, asked: Asked, body: Body | None
) -> Answer:
    # One turn of the loop: calls that became ready together are sent together, which wakes the
    # client's thread once for all of them.
    await asyncio.sleep(0)
    # pyreqwest holds an answer's head back until so many bytes of its body have come. Waiting for
    # one spares most calls a switch of threads; for events it would hide that the stream is open.
    read_ahead = 0 if pin.sends_events or asked.awaits_events else 1
    try:
        client = clients.calls if body is None else clients.uploads
        builder = client.request(asked.method, url).headers(asked.headers)
        if body is not None:
            longest = timedelta(seconds=min(asked.ends_in_s, UPLOAD_SECONDS_MAX))
            builder = builder.body_stream(body()).timeout(longest)
        request = builder.streamed_read_buffer_limit(read_ahead).build_streamed()
    except (pyreqwest.PyreqwestError, ValueError) as exc:
        raise UpstreamFault(End.REQUEST_MALFORMED, "A header of the request is not text.") from exc
    sent_path = request.url.path
    assert sent_path == pin.base_path + asked.path, f"decided {asked.path}, would send {sent_path}"
    try:
        response = await request.__aenter__()
        return Answer(request, response, pin, asked.cluster.transform, is_ahead=bool(read_ahead))
    except pyreqwest.PyreqwestError as exc:
        raise _fault(exc) from exc


def _fault(exc: pyreqwest.PyreqwestError) -> UpstreamFault:
    causes: list[str] = []
    if isinstance(exc, pyreqwest.DetailedPyreqwestError):
        causes = [cause["message"] for cause in exc.details["causes"] or []]
    if isinstance(exc, pyreqwest.RequestTimeoutError) and CONNECT_PHASE not in causes:
        return UpstreamFault(End.UPSTREAM_SILENT, "The API did not answer in time.")
    if CONNECT_PHASE in causes:
        return UpstreamFault(End.UPSTREAM_UNREACHABLE, "The API could not be reached.")
    if isinstance(exc, pyreqwest.DecodeError):
        return UpstreamFault(End.UPSTREAM_INVALID, "The API answered something that is not HTTP.")
    return UpstreamFault(End.UPSTREAM_DROPPED, "The API closed the connection without an answer.")
