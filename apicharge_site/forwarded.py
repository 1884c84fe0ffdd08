"""Whose request it is, when it comes through proxies of ours.

The peer of a connection is the client, unless it is a proxy that the operator named
(`APICHARGE_TRUSTED_PROXIES`). Then `X-Forwarded-For` is read from its right end, where the nearest
proxy wrote: the first hop that is not one of ours is the client. Whatever stands to the left of it
came with the request and is believed by nobody. Limits by client network and the `Forwarded` that
upstreams get go by the answer.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from apicharge_site.state import Misconfigured
from gateway.asgi import Receive, Scope, Send

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
HEADER = b"x-forwarded-for"


def trusted(texts: Iterable[str]) -> tuple[Network, ...]:
    return tuple(_network(text.strip()) for text in texts)


def _network(text: str) -> Network:
    try:
        network = ip_network(text)
    except ValueError as exc:
        raise Misconfigured(f"APICHARGE_TRUSTED_PROXIES: {text!r} is no range: {exc}.") from exc
    if network.prefixlen == 0:
        raise Misconfigured("APICHARGE_TRUSTED_PROXIES: not everybody can be a proxy of yours.")
    return network


def client_of(peer: str, forwarded: Sequence[bytes], proxies: Sequence[Network]) -> str:
    """The rightmost hop that is not one of `proxies`. `forwarded`: the header's lines, in order."""
    hop = _address(peer)
    if hop is None or not _is_ours(hop, proxies):
        return peer
    claims = b",".join(forwarded).decode("latin-1").split(",")
    for claim in reversed(claims):
        before = _address(claim)
        if before is None:
            break
        hop = before
        if not _is_ours(hop, proxies):
            break
    return str(hop)


def behind(application: Application, proxies: Sequence[Network]) -> Application:
    """`application`, told the client and not the proxy. The same one where there is none."""
    if not proxies:
        return application

    async def told(scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("client"):
            peer, port = scope["client"]
            lines = [value for name, value in scope["headers"] if name == HEADER]
            client = client_of(peer, lines, proxies)
            scope = {**scope, "client": (client, port if client == peer else 0)}
        await application(scope, receive, send)

    return told


def _address(text: str) -> Address | None:
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _is_ours(address: Address, proxies: Sequence[Network]) -> bool:
    return any(address in network for network in proxies)
