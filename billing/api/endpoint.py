"""What every endpoint of billing has in common: JSON in, JSON or a problem out, and a limit."""

import re
from collections.abc import Callable, Iterable

from django.http import HttpRequest
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api import bodies, problems
from billing.domain.errors import BodyTooLarge
from gateway.domain.networks import network_of

ID = re.compile(r"[0-9a-f]{64}")


def client_network(request: HttpRequest | Request) -> str:
    return network_of(str(request.META.get("REMOTE_ADDR", "")))


class JsonWhateverIsAccepted(BaseContentNegotiation):
    """There is one representation; a client's Accept is no reason to refuse it."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        content_type = (request.content_type or "").partition(";")[0].strip().lower()
        return next((p for p in parsers if p.media_type == content_type), None)

    def select_renderer(
        self,
        request: Request,  # noqa: ARG002 - DRF's signature
        renderers: Iterable[BaseRenderer],
        format_suffix: str | None = None,  # noqa: ARG002
    ) -> tuple[BaseRenderer, str]:
        only = next(iter(renderers))
        return only, str(only.media_type)


class Endpoint(APIView):
    parser_classes = [bodies.BoundedJSON]
    renderer_classes = [JSONRenderer]
    content_negotiation_class = JsonWhateverIsAccepted

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        super().initial(request, *args, **kwargs)
        length = request.headers.get("content-length") or "0"  # WSGI: empty is none.
        if not length.isdigit() or int(length) > bodies.BODY_BYTES_MAX:
            raise BodyTooLarge(f"The body may have at most {bodies.BODY_BYTES_MAX} bytes.")

    def get_exception_handler(self) -> Callable[[Exception, object], Response | None]:
        return problems.handler

    def finalize_response(
        self, request: Request, response: Response, *args: object, **kwargs: object
    ) -> Response:
        answer: Response = super().finalize_response(request, response, *args, **kwargs)
        answer.headers.setdefault("Cache-Control", "no-store")
        return answer
