"""Where a provider's SEP-7 wallet posts the refund that it signed."""

import time

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing import refunding
from billing.api import answers, bodies
from billing.api.endpoint import ID, Endpoint
from billing.domain.errors import NotFound


class RefundStatus(serializers.Serializer[None]):
    id = serializers.CharField()
    status = serializers.CharField()
    transaction = serializers.CharField()


class RefundCallback(Endpoint):
    parser_classes = [bodies.BoundedForm]

    @extend_schema(
        operation_id="refund_sep7",
        request={"application/x-www-form-urlencoded": answers.SignedTransaction},
        responses={202: RefundStatus, **answers.problems(400, 404, 413, 422)},
    )
    def post(self, request: Request, refund_id: str) -> Response:
        """Takes the transaction of this refund with its payer's signature, and nothing else."""
        if ID.fullmatch(refund_id) is None:
            raise NotFound("There is no such refund.")
        signed = bodies.posted_transaction(request.data)
        refund = refunding.sign(refund_id, signed, now_s=time.time())
        told = {"id": refund.pk, "status": refund.state, "transaction": refund.tx_hash}
        return Response(told, status=202)
