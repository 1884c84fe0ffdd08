"""The quotes endpoint: public, for any origin, and cheap to ask often."""

import json
import time

from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from gateway.domain.errors import ROUTE_NOT_FOUND, problem_document
from marketplace import quoting

FRESH_SECONDS = 30
PUBLIC = {"Access-Control-Allow-Origin": "*"}


class QuotesView(APIView):
    @extend_schema(
        operation_id="quotes",
        summary="Signed quotes of one route, or of all that are on sale",
        parameters=[OpenApiParameter("route", str, description="Such as weather/forecast.")],
        responses={
            200: OpenApiTypes.OBJECT,
            (404, "application/problem+json"): OpenApiTypes.OBJECT,
        },
    )
    def get(self, request: Request) -> Response | HttpResponse:
        route_id = request.query_params.get("route")
        try:
            document = quoting.document(route_id, time.time())
        except quoting.UnknownRoute:
            return _not_found(route_id or "")
        headers = {**PUBLIC, "Cache-Control": f"public, max-age={FRESH_SECONDS}"}
        return Response(document, headers=headers)


def _not_found(route_id: str) -> HttpResponse:
    detail = f"No route {route_id[:128]!r} is sold here. Leave out `route` to see all."
    problem = problem_document(ROUTE_NOT_FOUND, origin=settings.ORIGIN, detail=detail)
    return HttpResponse(
        json.dumps(problem), status=404, content_type="application/problem+json", headers=PUBLIC
    )
