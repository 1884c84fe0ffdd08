"""Documents for programs: public, for any origin, and cheap to ask often."""

import time

from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest, HttpResponse, JsonResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from gateway.domain.errors import KEYS_UNAVAILABLE, ROUTE_NOT_FOUND, Problem, problem_body
from marketplace import belonging, configuring, quoting

FRESH_SECONDS = 30
PUBLIC = {"Access-Control-Allow-Origin": "*"}


class QuotesView(APIView):
    @extend_schema(
        operation_id="quotes",
        summary="Signed quotes of one route, or of all listed services, some at a time",
        parameters=[
            OpenApiParameter("route", str, description="Such as weather/forecast."),
            OpenApiParameter("after", str, description="As in the `next` of the answer before."),
        ],
        responses={
            200: OpenApiTypes.OBJECT,
            (404, "application/problem+json"): OpenApiTypes.OBJECT,
            (503, "application/problem+json"): OpenApiTypes.OBJECT,
        },
    )
    def get(self, request: Request) -> Response | HttpResponse:
        route_id = request.query_params.get("route")
        kept = route_id is not None and belonging.is_kept(route_id.partition("/")[0])
        try:
            if route_id is None:
                after = request.query_params.get("after", "")
                document = quoting.listed(after, time.time())
            else:
                document = quoting.document(
                    route_id, time.time(), to_members=kept and _belongs(request, route_id)
                )
        except quoting.UnknownRoute:
            detail = f"No route {(route_id or '')[:128]!r} is sold here; leave `route` out for all."
            return _problem(ROUTE_NOT_FOUND, detail)
        except quoting.NoQuoteKey:
            return _problem(KEYS_UNAVAILABLE, "This process has no quote key: it sells nothing.")
        told = "private, no-store" if kept else f"public, max-age={FRESH_SECONDS}"
        return Response(document, headers={**PUBLIC, "Cache-Control": told})


def _belongs(request: Request, route_id: str) -> bool:
    """By the session of the site: a member's browser may ask, and nobody by a token."""
    visitor = get_user(request._request)  # noqa: SLF001
    return belonging.belongs(visitor, route_id.partition("/")[0])


def configuration_schema(_request: HttpRequest) -> JsonResponse:
    headers = {**PUBLIC, "Cache-Control": f"public, max-age={FRESH_SECONDS}"}
    return JsonResponse(configuring.schema(), headers=headers)


def _problem(problem: Problem, detail: str) -> HttpResponse:
    return HttpResponse(
        problem_body(problem, origin=settings.ORIGIN, detail=detail),
        status=problem.status,
        content_type="application/problem+json",
        headers=PUBLIC,
    )
