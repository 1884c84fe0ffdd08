"""The route table: what published services say, compiled for one question a request.

A table is immutable and replaced as a whole (tables.py makes one of another). A request's path is
canonicalised first (paths.py) and matched by whole segments: a route covers its own path and
everything below, the longest path wins, and a path whose methods do not include the request's does
not fall back to a shorter one, because somebody sold the longer one separately.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.domain import reading
from gateway.domain.clusters import Cluster, cluster
from gateway.domain.guards import Guard, read_guard
from gateway.domain.paths import AmbiguousPath, canonical, segments
from gateway.domain.transforms import TransformError

MESSAGE_BYTES_MAX = 1024 * 1024
"""Of one WebSocket message, where a route says nothing else."""
MATCHES_KEPT = 4096
"""Answers remembered for repeated paths; forgotten all at once when full."""
PATH_KEPT_BYTES_MAX = 512
"""Longer paths are looked up anew: nobody who asks decides how much is kept."""
METHOD_KEPT_MAX = 32


Segments = tuple[bytes, ...]
ClientKey = tuple[str, str, int, int, int]
"""What decides on a client: an upstream's address, the cluster's `client_id`, the timeouts."""


class RouteTableError(ValueError):
    """A body that does not compile; the message names the place."""


class Timeouts(NamedTuple):
    connect_ms: int = 5_000
    first_byte_ms: int = 100_000
    idle_ms: int = 300_000


@dataclass(frozen=True, slots=True)
class Offer:
    """A route's offer in short, as the 402 shows it."""

    name: str
    amount: str
    asset: str
    access_seconds: int
    limits: tuple[Mapping[str, object], ...]
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Route:
    id: str
    name: str
    path: Segments
    methods: frozenset[str]
    """Empty: all."""
    offers: tuple[Offer, ...]
    timeouts: Timeouts
    """The service's, where the route has none of its own."""
    guard: Guard | None
    """None: nothing is guarded. Each of them the service's, where the route has none of its own."""
    provider: int
    """Whose usage it is; 0: nobody's."""
    message_bytes_max: int = MESSAGE_BYTES_MAX


@dataclass(frozen=True, slots=True)
class Service:
    slug: str
    name: str
    hosts: tuple[str, ...]
    root_path: str | None
    secret: bytes | None = field(repr=False)
    cluster: Cluster
    routes: Mapping[Segments, tuple[Route, ...]]
    roots: tuple[Segments, ...]
    """What it answers under on the main host."""
    allowed_origins: frozenset[str] = frozenset()
    """Whose pages may open a WebSocket with nothing but their visitor's cookie."""

    @property
    def addresses(self) -> list[str]:
        """Nobody else may have one of them: hosts, and paths on the main host."""
        return [*self.hosts, *(f"/{b'/'.join(root).decode('ascii')}" for root in self.roots)]

    @property
    def every_route(self) -> list[Route]:
        return [route for same in self.routes.values() for route in same]

    @property
    def clients(self) -> set[ClientKey]:
        return {
            (place.url, self.cluster.client_id, *route.timeouts)
            for route in self.every_route
            for place in self.cluster.places
        }


@dataclass(frozen=True, slots=True)
class Match:
    service: Service
    route: Route
    path: str
    """The canonical path after the service's prefix: decided on, and sent."""
    own_host: bool
    """Asked for on the service's own host name, not on the console's."""
    prefix: str
    """What the gate has before `path`: nothing on the service's own host name."""


@dataclass(frozen=True, slots=True)
class NoRoute:
    pass


@dataclass(frozen=True, slots=True)
class Ambiguous:
    detail: str


NO_ROUTE = NoRoute()


@dataclass(frozen=True, slots=True)
class RouteTable:
    version: int
    issuer: str
    keys: Mapping[str, bytes]
    services: Mapping[str, Service]
    """By their slugs."""
    hosts: Mapping[str, Service]
    prefixes: Mapping[Segments, Service]
    """By the segments they answer under on the main host."""
    longest_prefix: int
    root_paths: tuple[str, ...]
    routes: Mapping[str, Route]
    clients: Mapping[ClientKey, int]
    """How many services each serves."""
    probed: tuple[Cluster, ...]
    """Those whose destinations are asked for their health."""
    _remembered: dict[tuple[str, bytes, str], Match | NoRoute] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def match(self, host: str, raw_path: bytes, method: str) -> Match | NoRoute | Ambiguous:
        asked = (self.own_host(host), raw_path, method)
        if (known := self._remembered.get(asked)) is not None:
            return known
        found = self._find(*asked)
        is_short = len(raw_path) <= PATH_KEPT_BYTES_MAX and len(method) <= METHOD_KEPT_MAX
        if is_short and not isinstance(found, Ambiguous):
            if len(self._remembered) >= MATCHES_KEPT:
                self._remembered.clear()
            self._remembered[asked] = found
        return found

    def own_host(self, host: str) -> str:
        """All that a Host header decides: the service's name that it is, or nothing."""
        if not self.hosts or host in self.hosts:
            return host if self.hosts else ""
        bare = bare_host(host)
        return bare if bare in self.hosts else ""

    def _find(self, own_host: str, raw_path: bytes, method: str) -> Match | NoRoute | Ambiguous:
        try:
            path = canonical(raw_path)
        except AmbiguousPath as exc:
            return Ambiguous(f"The path is refused: {exc}.")
        if (service := self.hosts.get(own_host)) is not None:
            return _in_service(service, path, method, prefix=b"")
        parts = tuple(segments(path))
        for length in range(min(self.longest_prefix, len(parts)), 0, -1):
            if (service := self.prefixes.get(parts[:length])) is not None:
                prefix = b"/" + b"/".join(parts[:length])
                return _in_service(service, _after(path, length), method, prefix=prefix)
        return NO_ROUTE

    def owns(self, host: str, path: str) -> bool:
        """Whether a decoded path is a service's, by its host name or root path."""
        if self.own_host(host):
            return True
        return any(f"{path}/".startswith(f"{root}/") for root in self.root_paths)


def bare_host(host: str) -> str:
    """A Host header's name, lower case, without port and final dot."""
    name = host.lower()
    if not name.endswith("]"):
        name = name.rpartition(":")[0] or name if name.rpartition(":")[2].isdigit() else name
    return name.rstrip(".")


def _after(path: bytes, length: int) -> bytes:
    """`path` without its first `length` segments; canonical paths have one slash before each."""
    return b"/" + b"".join(path.split(b"/", length + 1)[length + 1 :])


def _in_service(service: Service, path: bytes, method: str, *, prefix: bytes) -> Match | NoRoute:
    parts = tuple(segments(path))
    for length in range(len(parts), -1, -1):
        if (routes := service.routes.get(parts[:length])) is not None:
            for route in routes:
                if not route.methods or method in route.methods:
                    return Match(
                        service, route, path.decode("ascii"), not prefix, prefix.decode("ascii")
                    )
            return NO_ROUTE
    return NO_ROUTE


def compile_service(body: object, *, prefix: str) -> Service:
    """The service that `body` describes, or RouteTableError. `prefix` is the main host's."""
    if not isinstance(body, Mapping):
        raise RouteTableError("A service is not an object.")
    entry = reading.Object(body, f"service {body.get('slug')}")
    try:
        return _service(entry, prefix)
    except (reading.Unreadable, AmbiguousPath, TransformError) as exc:
        raise RouteTableError(str(exc)) from exc


def _service(entry: reading.Object, prefix: str) -> Service:
    routes: dict[Segments, tuple[Route, ...]] = {}
    timeouts = _timeouts(entry, Timeouts())
    guard, provider = read_guard(entry, Guard()), entry.integer("provider", 0)
    for route in (_route(each, timeouts, guard, provider) for each in entry.parts("routes")):
        routes[route.path] = (*routes.get(route.path, ()), route)
    slug, root_path = entry.text("slug"), entry.optional_text("root_path")
    return Service(
        slug=slug,
        name=entry.text("name"),
        hosts=tuple(bare_host(host) for host in entry.texts("hosts")),
        root_path=root_path,
        secret=entry.hex_bytes("secret") if entry.unread.get("secret") else None,
        cluster=cluster(entry),
        routes=routes,
        roots=_roots(entry, [prefix + slug, *([root_path] if root_path else [])]),
        allowed_origins=frozenset(entry.optional_texts("allowed_origins")),
    )


def _roots(entry: reading.Object, paths: list[str]) -> tuple[Segments, ...]:
    roots: dict[Segments, str] = {}
    for path in paths:
        root = _path(path, entry)
        if root in roots or not root:
            raise entry.wrong(f"{path} is taken")
        roots[root] = path
    return tuple(roots)


def _timeouts(entry: reading.Object, default: Timeouts) -> Timeouts:
    said = entry.optional_part("timeouts")
    return Timeouts(
        connect_ms=said.integer("connect_ms", default.connect_ms),
        first_byte_ms=said.integer("first_byte_ms", default.first_byte_ms),
        idle_ms=said.integer("idle_ms", default.idle_ms),
    )


def _route(entry: reading.Object, timeouts: Timeouts, service: Guard, provider: int) -> Route:
    guard = read_guard(entry, service)
    return Route(
        id=entry.text("id"),
        name=entry.text("name"),
        path=_path(entry.text("path"), entry),
        methods=frozenset(entry.texts("methods")),
        offers=tuple(_offer(each) for each in entry.parts("offers")),
        timeouts=_timeouts(entry, timeouts),
        guard=guard if guard.is_set else None,
        provider=provider,
        message_bytes_max=entry.integer("message_bytes_max", MESSAGE_BYTES_MAX),
    )


def _offer(entry: reading.Object) -> Offer:
    price = entry.optional_part("price")
    return Offer(
        name=entry.text("name"),
        amount=price.text("amount"),
        asset=price.text("asset"),
        access_seconds=entry.integer("access_seconds"),
        limits=tuple(each.unread for each in entry.parts("limits")),
        words=tuple(entry.texts("words")),
    )


def _path(text: str, entry: reading.Object) -> Segments:
    try:
        return tuple(segments(canonical(text.encode())))
    except AmbiguousPath as exc:
        raise entry.wrong(f"the path {text!r} is refused: {exc}") from exc
