"""What a gate is told by the composition root: one typed object."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network

from gateway.chronicle import Books
from gateway.domain.guards import Pace
from gateway.saying import Bookings

Network = IPv4Network | IPv6Network
PurchasePage = Callable[[str, str], Awaitable[bytes | None]]
"""The route's purchase page as HTML, by route id and the page that was asked for."""
FrontPage = Callable[[str, str], Awaitable[bytes | None]]
"""What a browser is shown of a service at a path of its own host name, by slug and path."""
Signable = Callable[[str, str, str], Awaitable[Mapping[str, object] | None]]
"""A ready purchase instruction, by route id, buyer and the client's address."""


@dataclass(frozen=True, slots=True)
class Ports:
    """What the gate is given; without them a 402 does no I/O, and nothing can be booked."""

    purchase_page: PurchasePage | None = None
    front_page: FrontPage | None = None
    signable: Signable | None = None
    bookings: Bookings | None = None
    books: Books | None = None
    """Where usage is written."""


@dataclass(frozen=True, slots=True)
class GateConfig:
    origin: str
    prefix: str = "/gate/"
    upstream_networks: tuple[Network, ...] = ()
    """Where an upstream may live beside public addresses."""
    own_addresses: frozenset[tuple[str, int]] = frozenset()
    """(address, port) of our own listeners: no upstream, whatever upstream_networks says."""
    console_cookies: frozenset[str] = field(
        default_factory=lambda: frozenset({"sessionid", "csrftoken", "messages"})
    )
    """Cookies of the site itself: they never reach an upstream."""
    strangers: Pace | None = None
    """Calls without a valid token that one client is answered."""
    snapshot_poll_seconds: float = 0.25
    tokens_kept: int = 100_000
    """Verified tokens remembered, the least recently used forgotten first."""
    pool_idle_max: int = 256
    """Idle connections kept to one upstream address."""
    extra_root_certificates: tuple[bytes, ...] = ()
    """PEM, trusted beside the public ones when calling upstreams."""
