"""A service's destinations as the snapshot describes them, and how they are called."""

from dataclasses import dataclass, field
from hashlib import sha256

from gateway.domain import reading
from gateway.domain.balancing import Way
from gateway.domain.paths import canonical
from gateway.domain.transforms import Transform, transform

WEIGHT_MAX = 1000
PROBE_MS_MIN = 100
PROBES_MAX = 100
GRPC = ("grpc:", "grpcs:")
HTTP2 = ("h2:", "h2c:", *GRPC)


@dataclass(frozen=True, slots=True)
class Place:
    url: str
    weight: int = 1


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """GET of a path below each destination; 200 to 399 in time is well."""

    path: str
    interval_ms: int = 2_000
    timeout_ms: int = 1_000
    healthy_after: int = 2
    unhealthy_after: int = 3


@dataclass(frozen=True, slots=True)
class Tls:
    """What is trusted beside the public authorities, and what the gate shows of itself (PEM)."""

    authorities: bytes = field(default=b"", repr=False)
    identity: bytes = field(default=b"", repr=False)
    """Certificate chain and private key."""

    @property
    def id(self) -> str:
        """Tells settings apart without telling what they are."""
        if not (self.authorities or self.identity):
            return ""
        return sha256(self.authorities + b"\0" + self.identity).hexdigest()


@dataclass(frozen=True, slots=True)
class Cluster:
    name: str
    places: tuple[Place, ...]
    way: Way = Way.ROUND_ROBIN
    health: HealthCheck | None = None
    tls: Tls = Tls()
    transform: Transform | None = None
    trailers: bool = False
    """Answers may end with them over HTTP/1.1, too."""
    client_id: str = ""
    """Calls of the same may go through the same client."""

    @property
    def is_plain(self) -> bool:
        """One destination: nothing to choose, and never ejected."""
        return len(self.places) == 1

    @property
    def speaks_http2(self) -> bool:
        """Some of it, at least, so that gRPC may pass."""
        return any(place.url.startswith(HTTP2) for place in self.places)

    @property
    def is_grpc(self) -> bool:
        return any(place.url.startswith(GRPC) for place in self.places)


def cluster(service: reading.Object) -> Cluster:
    """What a service's entry says; reading.Unreadable where it says nothing usable."""
    tls = _tls(service.part("tls")) if service.unread.get("tls") else Tls()
    changes = transform(service.part("transform")) if service.unread.get("transform") else None
    changes_host = changes is not None and changes.changes_host
    trailers = service.boolean("trailers")
    return Cluster(
        name=service.text("slug"),
        places=tuple(_place(entry) for entry in service.parts("upstreams")),
        way=_way(service),
        health=_health(service.part("health")) if service.unread.get("health") else None,
        tls=tls,
        transform=changes,
        trailers=trailers,
        client_id=f"{tls.id}{' host' * changes_host}{' trailers' * trailers}",
    )


def _place(entry: reading.Object) -> Place:
    return Place(entry.text("url").rstrip("/"), _between(entry, "weight", 1, 1, WEIGHT_MAX))


def _way(service: reading.Object) -> Way:
    text = service.optional_text("balancing") or Way.ROUND_ROBIN
    try:
        return Way(text)
    except ValueError:
        raise service.wrong(f"balancing {text!r} is unknown") from None


def _health(entry: reading.Object) -> HealthCheck:
    path = entry.text("path")
    if not path.startswith("/") or canonical(path.encode()).decode() != path:
        raise entry.wrong("path is not one that is sent as it is written")
    return HealthCheck(
        path=path,
        interval_ms=_between(entry, "interval_ms", 2_000, PROBE_MS_MIN, 3_600_000),
        timeout_ms=_between(entry, "timeout_ms", 1_000, PROBE_MS_MIN, 3_600_000),
        healthy_after=_between(entry, "healthy_after", 2, 1, PROBES_MAX),
        unhealthy_after=_between(entry, "unhealthy_after", 3, 1, PROBES_MAX),
    )


def _tls(entry: reading.Object) -> Tls:
    certificate, key = entry.optional_text("certificate"), entry.optional_text("key")
    if bool(certificate) is not bool(key):
        raise entry.wrong("certificate and key belong together")
    identity = f"{certificate}\n{key}" if certificate else ""
    return Tls((entry.optional_text("ca") or "").encode(), identity.encode())


def _between(entry: reading.Object, name: str, default: int, low: int, high: int) -> int:
    number = entry.integer(name, default)
    if not low <= number <= high:
        raise entry.wrong(f"{name} is not between {low} and {high}")
    return number
