"""A service as an OpenAPI 3.1 document: where it answers, what each route costs, how to pay.

A route covers its path and everything below it, which OpenAPI cannot say; so each stands there with
its own path. Prices are those on sale now, in `x-apicharge`: the quotes that it points to are what
is signed and paid.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from django.conf import settings
from django.urls import reverse

from gateway.domain.errors import INVALID_TOKEN, PAYMENT_REQUIRED, RATE_EXCEEDED, Problem
from marketplace.domain.chains import DECIMALS
from marketplace.models import Route, RouteQuote, Service
from marketplace.showing import gate_address

ANY_METHOD = ("get", "head", "post", "put", "patch", "delete")
KNOWN = frozenset({*ANY_METHOD, "options", "trace"})
ANSWERS: tuple[tuple[int, str, Problem], ...] = (
    (401, "The token cannot be used here.", INVALID_TOKEN),
    (402, "A grant has to be bought first: quotes and what to do next.", PAYMENT_REQUIRED),
    (429, "A limit of the grant refuses this call for now.", RATE_EXCEEDED),
)


def document(service: Service, routes: Iterable[tuple[Route, Sequence[RouteQuote]]]) -> object:
    """`routes` with the prices of each that are on sale."""
    paths: dict[str, dict[str, object]] = {}
    for route, prices in routes:
        operations = {
            method: _operation(route, method, prices)
            for method in map(str.lower, route.methods or ANY_METHOD)
            if method in KNOWN
        }
        paths.setdefault(route.path, {}).update(operations)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": service.name,
            "summary": service.tagline,
            "description": service.description,
            "version": service.updated_at.date().isoformat(),
        },
        "servers": [{"url": gate_address(service)}],
        "externalDocs": {
            "description": "Plans, and where a person buys",
            "url": settings.ORIGIN + reverse("marketplace:service", args=[service.slug]),
        },
        "security": [{"token": []}, {"bearer": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {"type": "apiKey", "in": "header", "name": "apicharge"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
            "schemas": {"Problem": _problem_schema()},
        },
    }


def _operation(route: Route, method: str, prices: Sequence[RouteQuote]) -> dict[str, object]:
    below = "Everything below this path is included."
    return {
        "operationId": f"{route.slug}-{method}",
        "summary": route.name,
        "description": f"{route.description}\n\n{below}".strip(),
        "responses": {
            "default": {"description": "What the API answers."},
            **{str(status): _answer(words, problem) for status, words, problem in ANSWERS},
        },
        "x-apicharge": {
            "route": route.identifier,
            "quotes": f"{settings.ORIGIN}{reverse('marketplace:quotes')}?route={route.identifier}",
            "plans": [_plan(price) for price in prices],
        },
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
    schema = {"$ref": "#/components/schemas/Problem"}
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
