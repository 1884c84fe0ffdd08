"""Where an upstream may live: public addresses, and the networks that staff listed.

A provider names the upstream, so its address is a stranger's word. It is read the way the upstream
client reads it (a WHATWG URL, where `0x7f.1`, `2130706433` and `①②⑦.0.0.1` are 127.0.0.1), resolved
by ourselves, every address checked, and the connection pinned to a checked one. Checked when an
upstream is saved (`check_upstream`) and again whenever a connection may be made (`resolve`).
"""

import asyncio
import re
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from pyreqwest.exceptions import PyreqwestError
from pyreqwest.http import Url

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# IANA's special-purpose registries; Python's own `is_global` differs between versions.
NOT_PUBLIC_V4 = [
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
]
# Of IPv6 only global unicast, and of that nothing that carries an IPv4 address or is documentation.
PUBLIC_V6 = IPv6Network("2000::/3")
NOT_PUBLIC_V6 = [
    IPv6Network(network) for network in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
]

# Services that answer to anything one sends them; HTTP is not spoken there.
NOT_HTTP_PORTS = frozenset({2049, 2379, 2380, 3306, 5432, 6000, 6379, 9042, 11211, 27017})
LOW_PORTS = frozenset({80, 443})
PORT_LOW_MAX = 1023
LOOPBACK = "127.0.0.1"
PLAIN = ("http", "ws", "h2c", "grpc")
ENCRYPTED = ("https", "wss", "h2", "grpcs")
SCHEMES = {**dict.fromkeys(PLAIN, 80), **dict.fromkeys(ENCRYPTED, 443)}
GRPC = frozenset({"grpc", "grpcs"})
HTTP2 = frozenset({"h2c", "h2"}) | GRPC
_LISTED = ", ".join(f"{scheme}://" for scheme in SCHEMES)
_SCHEME = re.compile(r"([a-z][a-z0-9]*)(?=://)", re.IGNORECASE)


class AddressRefused(ValueError):
    """An upstream that may not be called; the message says why, for its provider to read."""


class Unresolvable(OSError):
    """The name has no address now."""


@dataclass(frozen=True, slots=True)
class Policy:
    networks: tuple[Network, ...] = ()
    own_addresses: frozenset[tuple[str, int]] = frozenset()

    @staticmethod
    def of(networks: Iterable[str], own: Iterable[tuple[str, int]] = ()) -> "Policy":
        return Policy(tuple(ip_network(network) for network in networks), frozenset(own))

    def check(self, address: Address, port: int) -> None:
        if (_heard_at(address), port) in self.own_addresses:
            raise AddressRefused(f"{address} port {port} is this gateway itself.")
        if any(address in network for network in self.networks):
            return
        if not is_public(address):
            raise AddressRefused(f"{address} is not a public address.")
        if port in NOT_HTTP_PORTS or (port <= PORT_LOW_MAX and port not in LOW_PORTS):
            raise AddressRefused(f"Port {port} is not one that an HTTP API is called on.")


def _heard_at(address: Address) -> str:
    """LOOPBACK for whatever reaches a listener of this machine by a loopback address."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    plain = mapped or address
    return LOOPBACK if plain.is_loopback or plain.is_unspecified else str(plain)


def is_public(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in network for network in NOT_PUBLIC_V4)
    return address in PUBLIC_V6 and not any(address in network for network in NOT_PUBLIC_V6)


@dataclass(frozen=True, slots=True)
class Place:
    """What an upstream's URL says, as the client that will call it reads it."""

    scheme: str
    host: str
    port: int
    path: str
    literal: Address | None

    @property
    def is_secure(self) -> bool:
        return self.scheme in ENCRYPTED

    @property
    def is_http2(self) -> bool:
        return self.scheme in HTTP2

    @property
    def is_grpc(self) -> bool:
        return self.scheme in GRPC

    @property
    def http(self) -> str:
        """As an HTTP URL: a service that is named as a WebSocket answers calls there, too."""
        return f"{'https' if self.is_secure else 'http'}://{self.host}:{self.port}{self.path}"


def parse(url: str) -> Place:
    found = _SCHEME.match(url.strip())
    scheme = found[1].lower() if found else ""
    if scheme not in SCHEMES:
        raise AddressRefused(f"An upstream is a URL that begins with {_LISTED}.")
    try:
        # Only of schemes that it knows does the client read the host as it will call it.
        parsed = Url(_SCHEME.sub("https" if scheme in ENCRYPTED else "http", url.strip(), count=1))
    except (PyreqwestError, ValueError) as exc:
        raise AddressRefused(f"{url!r} is not a URL.") from exc
    host = parsed.host_str
    if not host:
        raise AddressRefused(f"{url!r} names no host.")
    if parsed.username or parsed.password or parsed.fragment or parsed.query_string is not None:
        raise AddressRefused("An upstream is a URL without user, query and fragment.")
    try:
        literal: Address | None = ip_address(host.strip("[]"))
    except ValueError:
        literal = None
    port = parsed.port_or_known_default or SCHEMES[scheme]
    return Place(scheme, host, port, parsed.path.rstrip("/"), literal)


def check_upstream(url: str, policy: Policy) -> tuple[Address, ...]:
    """The addresses of an upstream, all allowed; for the moment it is saved. Blocks on DNS."""
    place = parse(url)
    if place.literal is not None:
        return _checked([place.literal], place.port, policy)
    try:
        found = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    except OSError as exc:
        raise Unresolvable(f"{place.host} has no address.") from exc
    return _checked(_addresses(found), place.port, policy)


async def resolve(place: Place, policy: Policy) -> tuple[Address, ...]:
    """The same at the moment a connection may be made."""
    if place.literal is not None:
        return _checked([place.literal], place.port, policy)
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    except OSError as exc:
        raise Unresolvable(f"{place.host} has no address.") from exc
    return _checked(_addresses(found), place.port, policy)


def _addresses(
    found: Iterable[tuple[object, object, object, object, Sequence[object]]],
) -> list[Address]:
    return list(dict.fromkeys(ip_address(str(sockaddr[0])) for *_, sockaddr in found))


def _checked(addresses: Sequence[Address], port: int, policy: Policy) -> tuple[Address, ...]:
    """One bad address refuses the name: the next answer might begin with it."""
    for address in addresses:
        policy.check(address, port)
    return tuple(addresses)
