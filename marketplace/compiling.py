"""What gates read of a service: its row, routes, upstreams and prices as one body."""

from collections.abc import Collection, Iterator
from typing import TypedDict

from django.conf import settings
from django.db.models import Prefetch

from gateway.domain import reading
from gateway.domain.limits import parse_limits
from gateway.domain.transforms import Transform, transform
from marketplace.domain.quotes import JsonObject
from marketplace.models import Route, RouteQuote, Service

MEMBERS = Service.Visibility.MEMBERS
TIMEOUTS = ("connect_ms", "first_byte_ms", "idle_ms")


class Price(TypedDict):
    amount: str
    asset: str


class OfferBody(TypedDict):
    name: str
    price: Price
    access_seconds: int
    limits: list[JsonObject]
    words: list[str]


class RouteBody(TypedDict):
    id: str
    name: str
    path: str
    methods: list[str]
    timeouts: dict[str, int]
    message_bytes_max: int
    guards: dict[str, int]
    offers: list[OfferBody]


class UpstreamBody(TypedDict):
    url: str
    weight: int


class HealthBody(TypedDict):
    path: str
    interval_ms: int
    timeout_ms: int
    healthy_after: int
    unhealthy_after: int


class TlsBody(TypedDict):
    ca: str | None
    certificate: str | None
    key: str | None


class TransformBody(TypedDict):
    credential: dict[str, str] | None
    strip_prefix: str
    add_prefix: str
    keeps_host: bool
    host: str
    request_set: list[str]
    request_remove: list[str]
    response_set: list[str]
    response_remove: list[str]


class ServiceBody(TypedDict):
    slug: str
    name: str
    hosts: list[str]
    root_path: str | None
    secret: str | None
    upstreams: list[UpstreamBody]
    balancing: str
    health: HealthBody | None
    tls: TlsBody | None
    transform: TransformBody | None
    trailers: bool
    timeouts: dict[str, int]
    allowed_origins: list[str]
    guards: dict[str, int]
    provider: int
    routes: list[RouteBody]


def bodies(services: Collection[int]) -> Iterator[tuple[int, ServiceBody]]:
    """Of those that the gate answers for."""
    published = RouteQuote.objects.filter(
        state=RouteQuote.State.PUBLISHED, asset__in=list(settings.CHAIN.assets)
    )
    prices = Prefetch("quotes", published.order_by("amount", "name"), "published")
    routes = Route.objects.standing().prefetch_related(prices)
    rows = (
        Service.objects.gated()
        .filter(pk__in=services)
        .select_related("provider")
        .prefetch_related("upstreams", Prefetch("routes", routes.order_by("pk"), "standing"))
        .order_by("pk")
    )
    return ((service.pk, _service(service)) for service in rows)


def _service(service: Service) -> ServiceBody:
    routes: list[Route] = getattr(service, "standing")  # noqa: B009  named by the Prefetch
    return {
        "slug": service.slug,
        "name": service.name,
        "hosts": [service.host] if service.host else [],
        "root_path": service.root_path or None,
        "secret": service.secret or None,
        "upstreams": [
            {"url": upstream.url, "weight": upstream.weight} for upstream in service.upstreams.all()
        ],
        "balancing": service.balancing,
        "health": _health(service) if service.health_path else None,
        "tls": _tls(service) if service.tls_ca or service.tls_key else None,
        "transform": _transform(service),
        "trailers": service.trailers,
        "timeouts": {
            "connect_ms": service.connect_ms,
            "first_byte_ms": service.first_byte_ms,
            "idle_ms": service.idle_ms,
        },
        "allowed_origins": list(service.allowed_origins),
        "guards": service.said_guards(),
        "provider": service.provider_id,
        "routes": [_route(service, route) for route in routes],
    }


def _health(service: Service) -> HealthBody:
    return {
        "path": service.health_path,
        "interval_ms": service.health_interval_ms,
        "timeout_ms": service.health_timeout_ms,
        "healthy_after": service.healthy_after,
        "unhealthy_after": service.unhealthy_after,
    }


def _tls(service: Service) -> TlsBody:
    return {
        "ca": service.tls_ca or None,
        "certificate": service.tls_certificate or None,
        "key": service.tls_key or None,
    }


def _transform(service: Service) -> TransformBody | None:
    """What changes on the way, as the gate reads it; None where nothing does."""
    credential = {
        "in": service.credential_in,
        "name": service.credential_name,
        "value": service.credential_value,
    }
    body: TransformBody = {
        "credential": credential if service.credential_in else None,
        "strip_prefix": service.strip_prefix,
        "add_prefix": service.add_prefix,
        "keeps_host": service.keeps_host,
        "host": service.upstream_host,
        "request_set": service.request_set.splitlines(),
        "request_remove": service.request_remove.splitlines(),
        "response_set": service.response_set.splitlines(),
        "response_remove": service.response_remove.splitlines(),
    }
    return body if any(body.values()) else None


def read_transform(service: Service) -> Transform | None:
    body = _transform(service)
    return transform(reading.Object(body, service.slug)) if body is not None else None


def _route(service: Service, route: Route) -> RouteBody:
    prices: list[RouteQuote] = getattr(route, "published")  # noqa: B009  named by the Prefetch
    is_offered = service.sells and service.visibility != MEMBERS
    return {
        "id": f"{service.slug}/{route.slug}",
        "name": route.name,
        "path": route.path,
        "methods": list(route.methods),
        "timeouts": {
            name: value for name in TIMEOUTS if (value := getattr(route, name)) is not None
        },
        "message_bytes_max": route.message_bytes_max,
        "guards": route.said_guards(),
        "offers": [_offer(price) for price in prices] if is_offered else [],
    }


def _offer(price: RouteQuote) -> OfferBody:
    return {
        "name": price.name,
        "price": {"amount": str(price.amount), "asset": price.asset},
        "access_seconds": price.access_seconds,
        "limits": list(price.limits),
        "words": [limit.words() for limit in parse_limits(price.limits)],
    }
