"""A service as an OpenAPI document: where it answers, what each operation costs, how to pay.

The operations are those of the provider's own document that a route sells. A route of which it says
nothing covers its path and everything below it, which OpenAPI cannot say; so it stands there with
its own path. Prices are those on sale now, in words and in `x-apicharge`: the quotes that it points
to are what is signed and paid.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.urls import reverse

from gateway.domain.errors import INVALID_TOKEN, PAYMENT_REQUIRED, RATE_EXCEEDED, Problem
from marketplace.domain import plans
from marketplace.domain.chains import DECIMALS
from marketplace.domain.openapi import Document
from marketplace.endpoints import Endpoint, Sold, endpoints
from marketplace.models import Route, RouteQuote, Service
from marketplace.showing import gate_address

PROBLEM = "ApiChargeProblem"
"""A name that no document of a provider has."""
ANY_METHOD = ("get", "head", "post", "put", "patch", "delete")
KNOWN = frozenset({*ANY_METHOD, "options", "trace"})
ANSWERS: tuple[tuple[int, str, Problem], ...] = (
    (401, "The token cannot be used here.", INVALID_TOKEN),
    (402, "A grant has to be bought first: quotes and what to do next.", PAYMENT_REQUIRED),
    (429, "A limit of the grant refuses this call for now.", RATE_EXCEEDED),
)


def document(service: Service, sold: Sold, imported: Document | None) -> object:
    found = endpoints(sold, imported)
    paths: dict[str, dict[str, object]] = {}
    for each in (endpoint for endpoint in found if endpoint.described):
        method = each.operation.method.lower()
        paths.setdefault(each.operation.path, {})[method] = _described(each, imported)
    described = {each.route.pk for each in found if each.described}
    for route, prices in sold:
        if route.pk not in described:
            paths.setdefault(route.path, {}).update(_undescribed(route, prices))
    body = imported.body if imported else {}
    return {
        "openapi": body.get("openapi", "3.1.0"),
        "info": _info(service, body),
        "servers": [{"url": gate_address(service)}],
        "externalDocs": {
            "description": "Plans, and where a person buys",
            "url": settings.ORIGIN + reverse("marketplace:service", args=[service.slug]),
        },
        "security": [{"token": []}, {"bearer": []}],
        "tags": body.get("tags", []),
        "paths": paths,
        "components": _components(body),
    }


def _info(service: Service, body: Mapping[str, Any]) -> dict[str, object]:
    told = body.get("info", {})
    return {
        "title": service.name,
        "description": told.get("description") or service.description or service.tagline,
        "version": told.get("version") or service.updated_at.date().isoformat(),
    }


def _components(body: Mapping[str, Any]) -> dict[str, object]:
    kept: dict[str, Any] = dict(body.get("components", {}))
    kept["schemas"] = {**kept.get("schemas", {}), PROBLEM: _problem_schema()}
    kept["securitySchemes"] = {
        "token": {"type": "apiKey", "in": "header", "name": "apicharge"},
        "bearer": {"type": "http", "scheme": "bearer"},
    }
    return kept


def _described(endpoint: Endpoint, imported: Document | None) -> dict[str, object]:
    assert imported is not None
    operation = endpoint.operation
    written = imported.body["paths"][operation.path][operation.method.lower()]
    words = f"{written['description']}\n\n{_in_words(endpoint.prices)}".strip()
    return {
        **written,
        "description": words,
        "responses": {**_answers(), **written["responses"]},
        "x-apicharge": _charge(endpoint.route, endpoint.prices),
    }


def _undescribed(route: Route, prices: Sequence[RouteQuote]) -> dict[str, object]:
    below = f"Everything below this path is included.\n\n{_in_words(prices)}"
    return {
        method: {
            "operationId": f"{route.slug}-{method}",
            "summary": route.name,
            "description": f"{route.description}\n\n{below}".strip(),
            "responses": {"default": {"description": "What the API answers."}, **_answers()},
            "x-apicharge": _charge(route, prices),
        }
        for method in map(str.lower, route.methods or ANY_METHOD)
        if method in KNOWN
    }


def _answers() -> dict[str, object]:
    return {str(status): _answer(words, problem) for status, words, problem in ANSWERS}


def _in_words(prices: Sequence[RouteQuote]) -> str:
    lines = [
        f"- {price.name}: {_amount(price)} for {plans.show_duration(price.access_seconds)}"
        for price in prices
    ]
    return "\n".join(["**Plans**", "", *lines]) if lines else "Not on sale now."


def _amount(price: RouteQuote) -> str:
    return f"{plans.show_amount(price.amount)} {price.asset}" if price.amount else "free"


def _charge(route: Route, prices: Sequence[RouteQuote]) -> dict[str, object]:
    return {
        "route": route.identifier,
        "quotes": f"{settings.ORIGIN}{reverse('marketplace:quotes')}?route={route.identifier}",
        "plans": [_plan(price) for price in prices],
    }


def _plan(price: RouteQuote) -> dict[str, Any]:
    return {
        "name": price.name,
        "version": price.version,
        "amount": str(price.amount),
        "decimals": DECIMALS,
        "asset": price.asset,
        "access_seconds": price.access_seconds,
        "starts": price.starts,
        "charge": price.charge,
        "limits": price.limits,
    }


def _answer(words: str, problem: Problem) -> dict[str, object]:
    schema = {"$ref": f"#/components/schemas/{PROBLEM}"}
    example = {"type": f"{settings.ORIGIN}/problems/{problem.slug}", "status": problem.status}
    content = {"application/problem+json": {"schema": schema, "example": example}}
    return {"description": words, "content": content}


def _problem_schema() -> dict[str, object]:
    text = {"type": "string"}
    return {
        "type": "object",
        "description": "RFC 9457",
        "required": ["type", "title", "status"],
        "properties": {
            "type": {**text, "format": "uri"},
            "title": text,
            "status": {"type": "integer"},
            "detail": text,
            "error": text,
        },
    }
