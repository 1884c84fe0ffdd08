"""What a provider's server says that a running stream consumed; signed with the service's secret.

It is here and not in the gate: it needs no stream and no lease, it is a booking in the ledger, and
every gate hears of bookings by itself.
"""

import hashlib
import hmac
import re
import time

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api import answers, bodies
from billing.api.endpoint import ID, Endpoint
from billing.domain.errors import Conflict, NotFound, SignatureRefused, Unprocessable
from gateway.domain.limits import Credits
from gateway.domain.units import INTEGER_MAX
from gateway.ledgers import booking, reading
from gateway.models import GrantLedger
from marketplace.models import Service

SIGNATURE_SECONDS = 300
_SIGNATURE = re.compile(r"t=([0-9]{1,12}),v1=([0-9a-f]{64})")


class ConsumeBody(bodies.Body):
    id = bodies.TextField(
        pattern="[A-Za-z0-9._:-]{1,64}", help_text="The provider's own; each is booked once."
    )
    credits = serializers.IntegerField(min_value=1, max_value=INTEGER_MAX)


class ConsumedAnswer(serializers.Serializer[None]):
    id = serializers.CharField()
    grant = serializers.CharField()
    credits = serializers.IntegerField()
    left = serializers.IntegerField(help_text="Of all credits; 0 ends what runs.")


class Consumption(Endpoint):
    @extend_schema(
        operation_id="consume",
        request=ConsumeBody,
        responses={200: ConsumedAnswer, **answers.problems(400, 401, 404, 409, 422)},
    )
    def post(self, request: Request, grant_id: str) -> Response:
        """Book credits that a running stream cost beyond its call. For the provider's server."""
        _check_signature(request, grant_id)
        body = ConsumeBody(data=request.data)
        body.is_valid(raise_exception=True)
        key, credits = body.validated_data["id"], body.validated_data["credits"]  # noqa: A001
        try:
            booking.consume(grant_id, key, credits)
        except booking.OtherBooking:
            raise Conflict("This id was used for another number of credits.") from None
        except booking.NoCredits:
            raise Unprocessable("The grant has no credits.") from None
        return Response({"id": key, "grant": grant_id, "credits": credits, "left": _left(grant_id)})


def _left(grant_id: str) -> int:
    usage = reading.usage_of(grant_id, time.time())
    assert usage is not None, "booked just now"
    lefts = [each.left for each in usage.limits if isinstance(each.limit, Credits)]
    return min(left for left in lefts if left is not None)


def signature(secret: bytes, *, t: int, method: str, path: str, body: bytes) -> str:
    message = f"{t}\n{method}\n{path}\n{hashlib.sha256(body).hexdigest()}".encode()
    return f"t={t},v1={hmac.digest(secret, message, 'sha256').hex()}"


def _check_signature(request: Request, grant_id: str) -> None:
    """Before anything about the grant is told."""
    given = _SIGNATURE.fullmatch(request.headers.get("ApiCharge-Signature", ""))
    if given is None:
        raise SignatureRefused("Sign the request in ApiCharge-Signature.")
    t = int(given[1])
    if abs(time.time() - t) > SIGNATURE_SECONDS:
        raise SignatureRefused("The signature is of another time.")
    secret = _secret_of(grant_id)
    made = signature(
        secret or b"\0" * 32,
        t=t,
        method=request.method or "",
        path=request.path,
        body=request._request.body,  # noqa: SLF001 - the bytes, which DRF has no name for
    )
    if secret is None or not hmac.compare_digest(made, f"t={given[1]},v1={given[2]}"):
        raise SignatureRefused("The signature does not hold.")


def _secret_of(grant_id: str) -> bytes | None:
    if ID.fullmatch(grant_id) is None:
        raise NotFound("There is no such grant.")
    route = GrantLedger.objects.filter(pk=grant_id).values_list("route", flat=True).first()
    if route is None:
        return None
    service = Service.objects.filter(slug=route.partition("/")[0]).first()
    return bytes.fromhex(service.secret) if service is not None and service.secret else None
