"""The page on which a service is tried out: its operations, a form, what came of it, snippets.

Whoever can hand over a token (billing's trials) renders the same page with it.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from gateway.domain.networks import network_of
from marketplace import importing, throttling
from marketplace.domain import calling, sampling
from marketplace.domain.calling import Call, Incomplete
from marketplace.domain.openapi import Body, Document, Operation, Parameter
from marketplace.endpoints import Endpoint, endpoints
from marketplace.models import Service
from marketplace.offered import gated, with_prices
from marketplace.showing import gate_address
from marketplace.snippets import Request, Snippet, calls
from marketplace.trying import performing
from marketplace.trying.offering import trial_of

CALLS_PER_NETWORK_MINUTE = 20
"""That we make for browsers without scripts."""
BODY_SHOWN_MAX = 20_000


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    label: str
    place: str
    value: str
    required: bool
    description: str
    options: tuple[str, ...] = ()
    is_array: bool = False


@dataclass(frozen=True, slots=True)
class Visit:
    """What a person has on the page."""

    values: Mapping[str, str] = field(default_factory=dict)
    token: str = ""
    outcome: performing.Outcome | performing.Failed | None = None
    problem: str = ""
    trial: str = ""
    """What a trial that was just handed over is good for."""
    status: int = 200


@require_http_methods(["GET", "POST"])
@sensitive_post_parameters("token")
def page(request: HttpRequest, slug: str) -> HttpResponse:
    service = gated(slug)
    if request.method == "GET":
        return show(request, service, Visit())
    visit = visit_of(request)
    if request.POST.get("act") == "fragment":
        return show(request, service, visit, "marketplace/_snippets.html")
    if request.POST.get("act") == "code":
        return show(request, service, visit)
    network = network_of(str(request.META.get("REMOTE_ADDR", "")))
    if not throttling.allows(
        "try", network, limit=CALLS_PER_NETWORK_MINUTE, window_s=60, now_s=time.time()
    ):
        told = gettext("That is often enough for a minute. With scripts there is no such limit.")
        return show(request, service, replace(visit, problem=told, status=429))
    return show(request, service, _called(request, service, visit))


def show(
    request: HttpRequest, service: Service, visit: Visit, template: str = "marketplace/try.html"
) -> HttpResponse:
    document = importing.current(service)
    found = endpoints(with_prices(service), document)
    chosen = chosen_of(found, _asked(request))
    context: dict[str, object] = {"service": service, "visit": visit, "endpoints": found}
    if chosen is not None:
        values = visit.values or _beginning(chosen.operation, document)
        context |= {
            "chosen": chosen,
            "fields": [_field(each, values) for each in chosen.operation.parameters],
            "body": values.get(calling.BODY, ""),
            "gate": performing.gate_path(service.slug),
            "trial": trial_of(chosen.prices),
            "snippets": _snippets(service, chosen.operation, values, visit.token),
            "buy": reverse("marketplace:route", args=[service.slug, chosen.route.slug]),
        }
    response = render(request, template, context, status=visit.status)
    response.headers["Cache-Control"] = "no-store"
    return response


def visit_of(request: HttpRequest) -> Visit:
    token = request.POST.get("token", "").strip()[: performing.TOKEN_LENGTH_MAX]
    return Visit({name: str(value) for name, value in request.POST.items()}, token)


def chosen_of(found: Sequence[Endpoint], key: str) -> Endpoint | None:
    """By the operation's key or its route's slug; else the first."""
    by_key = (each for each in found if each.operation.key == key)
    by_route = (each for each in found if each.route.slug == key)
    return next(by_key, None) or next(by_route, None) or next(iter(found), None)


def _asked(request: HttpRequest) -> str:
    return str(request.POST.get("operation") or request.GET.get("operation") or "")


def _called(request: HttpRequest, service: Service, visit: Visit) -> Visit:
    found = endpoints(with_prices(service), importing.current(service))
    chosen = chosen_of(found, _asked(request))
    if chosen is None:
        return visit
    try:
        call = calling.build(chosen.operation, visit.values)
    except Incomplete as exc:
        return replace(visit, problem=str(exc), status=400)
    return replace(visit, outcome=performing.perform(service.slug, call, visit.token))


def _beginning(operation: Operation, document: Document | None) -> dict[str, str]:
    """Values to begin with: the document's own examples, or the least that a schema takes."""
    body = document.body if document is not None else {}
    values = {
        calling.field(each): _first_value(each) for each in operation.parameters if _shows(each)
    }
    if operation.body is not None:
        values[calling.BODY] = _first_body(operation.body, body)
    return values


def _shows(parameter: Parameter) -> bool:
    return parameter.required or parameter.example is not None


def _first_value(parameter: Parameter) -> str:
    value = parameter.example
    if value is None:
        value = sampling.sample({}, parameter.schema)
    return value if isinstance(value, str) else json.dumps(value)


def _first_body(told: Body, document: Mapping[str, object]) -> str:
    if told.example is None and not told.schema:
        return ""
    value = told.example
    if value is None:
        value = sampling.sample(document, told.schema)
    written = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    return written[:BODY_SHOWN_MAX]


def _field(parameter: Parameter, values: Mapping[str, str]) -> Field:
    name = calling.field(parameter)
    kind = sampling.kind(parameter.schema)
    options = parameter.schema.get("enum", ["true", "false"] if kind == "boolean" else [])
    return Field(
        name=name,
        label=parameter.name,
        place=parameter.place,
        value=values.get(name, ""),
        required=parameter.required,
        description=parameter.description,
        options=tuple(map(str, options[:100])) if isinstance(options, list) else (),
        is_array=kind == "array",
    )


def _snippets(
    service: Service, operation: Operation, values: Mapping[str, str], token: str
) -> list[Snippet]:
    try:
        call = calling.build(operation, values)
    except Incomplete:
        call = Call(operation.method, operation.path, (), None)
    url = gate_address(service) + call.target
    return calls(Request(call.method, url, call.headers, call.body, token))
