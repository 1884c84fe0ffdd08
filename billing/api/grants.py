"""The grant endpoints of protocol.md section 3, and the keys that grants are signed with."""

import time

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from billing import keys
from billing.api import answers, bodies, credentials
from billing.api.endpoint import ID, Endpoint
from billing.domain.errors import NotFound
from billing.withdrawing import withdraw
from gateway.ledgers import reading


class GrantUsage(Endpoint):
    @extend_schema(
        operation_id="grant_usage",
        responses={200: answers.Usage, **answers.problems(401, 403, 404)},
    )
    def get(self, request: Request, grant_id: str) -> Response:
        """What is left of each limit, until when, and how the last exchange ended."""
        credentials.holder(request, _grant_id(grant_id))
        usage = reading.usage_of(grant_id, time.time())
        if usage is None:
            raise NotFound("There is no such grant.")
        return Response(answers.usage(usage))


class Revocation(Endpoint):
    @extend_schema(
        operation_id="revoke",
        request=bodies.RevokeBody,
        responses={200: answers.Revoked, **answers.problems(400, 401, 403, 404)},
    )
    def post(self, request: Request, grant_id: str) -> Response:
        """Revoke a grant, or one client token of it. Needs a client JWS with `act: manage`."""
        token = credentials.manager(request, _grant_id(grant_id))
        body = bodies.RevokeBody(data=request.data)
        body.is_valid(raise_exception=True)
        token_id = body.validated_data.get("token", "")
        withdraw(grant_id, token_id, actor=token.grant.buyer, now_s=time.time())
        return Response({"grant": grant_id, "token": token_id or None, "revoked": True})


class Jwks(Endpoint):
    @extend_schema(operation_id="jwks", responses={200: answers.KeySet})
    def get(self, _request: Request) -> Response:
        """The keys that granted access tokens are signed with (RFC 7517)."""
        return Response(
            keys.jwks(),
            headers={"Cache-Control": "public, max-age=60"},
            content_type="application/jwk-set+json",
        )


def _grant_id(grant_id: str) -> str:
    if ID.fullmatch(grant_id) is None:
        raise NotFound("There is no such grant.")
    return grant_id
