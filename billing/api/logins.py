"""Logging in with an account, by SEP-10 or SEP-53; and what SEP-1 says of us."""

import time
from collections.abc import Mapping

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing import conf, instructing, logging_in
from billing.api import answers, bodies
from billing.api.endpoint import Endpoint, client_network
from billing.domain.errors import BadRequest

ANYWHERE = {"Access-Control-Allow-Origin": "*"}  # Wallets ask from pages of their own.
# A login asks the payment network once.
LOGINS_PER_NETWORK_MINUTE = 60
ACCOUNT = OpenApiParameter("account", OpenApiTypes.STR, required=True, description="G…")


class Challenge(serializers.Serializer[None]):
    transaction = serializers.CharField()
    network_passphrase = serializers.CharField()


class TextChallenge(serializers.Serializer[None]):
    message = serializers.CharField()


class Token(serializers.Serializer[None]):
    token = serializers.CharField()


class TextBody(bodies.Body):
    message = bodies.TextField(max_length=1000)
    signature = bodies.TextField(max_length=100)


class Sep10(Endpoint):
    """For Stellar's own clients; the answers may be read by pages of any origin."""

    parser_classes = [bodies.BoundedJSON, bodies.BoundedForm]

    @extend_schema(
        operation_id="sep10_challenge",
        parameters=[ACCOUNT],
        responses={200: Challenge, **answers.problems(400)},
    )
    def get(self, request: Request) -> Response:
        """A transaction that no network takes, to be signed by whoever holds `account` (SEP-10)."""
        asked = request.query_params
        if asked.get("home_domain", conf.domain()) != conf.domain():
            raise BadRequest(f"home_domain: This is {conf.domain()}.")
        if "memo" in asked or "client_domain" in asked:
            raise BadRequest("memo and client_domain are not supported.")
        transaction = logging_in.challenge(_account(asked))
        told = {"transaction": transaction, "network_passphrase": conf.conf().chain.passphrase}
        return Response(told, headers=ANYWHERE)

    @extend_schema(
        operation_id="sep10_token",
        request=answers.SignedChallenge,
        responses={200: Token, **answers.problems(400, 401, 413, 429, 503)},
    )
    def post(self, request: Request) -> Response:
        """The signed challenge for a token."""
        given = request.data.get("transaction") if isinstance(request.data, dict) else None
        if not isinstance(given, str) or not given:
            raise BadRequest("transaction: This field is required.")
        now_s = time.time()
        _count(request, now_s=now_s)
        transaction = bodies.standard(given, "transaction")
        token = logging_in.by_transaction(transaction, now_s=now_s)
        return Response({"token": token}, headers=ANYWHERE)


class Sep53(Endpoint):
    @extend_schema(
        operation_id="sep53_text",
        parameters=[ACCOUNT],
        responses={200: TextChallenge, **answers.problems(400)},
    )
    def get(self, request: Request) -> Response:
        """A text to be signed by `account`, as SEP-53 has it."""
        text = logging_in.text(_account(request.query_params), now_s=time.time())
        return Response({"message": text})

    @extend_schema(
        operation_id="sep53_token",
        request=TextBody,
        responses={200: Token, **answers.problems(400, 401, 413, 429, 503)},
    )
    def post(self, request: Request) -> Response:
        """The text with its signature (base64) for a token."""
        body = TextBody(data=request.data)
        body.is_valid(raise_exception=True)
        now_s = time.time()
        _count(request, now_s=now_s)
        given = body.validated_data
        signature = bodies.decoded(given["signature"], "signature")
        return Response({"token": logging_in.by_text(given["message"], signature, now_s=now_s)})


@require_safe
def stellar_toml(_request: HttpRequest) -> HttpResponse:
    """SEP-1."""
    chain, origin = conf.conf().chain, conf.conf().origin
    lines = [
        'VERSION="2.7.0"',
        f'NETWORK_PASSPHRASE="{chain.passphrase}"',
        f'SIGNING_KEY="{conf.login_address()}"',
        f'URI_REQUEST_SIGNING_KEY="{conf.login_address()}"',
        f'WEB_AUTH_ENDPOINT="{origin}/apicharge/v1/auth"',
        "",
        "[DOCUMENTATION]",
        f'ORG_URL="{origin}"',
    ]
    for asset in chain.assets.values():
        name = "contract" if asset.is_token else "issuer"
        lines += ["", "[[CURRENCIES]]", f'code="{asset.code}"', f'{name}="{asset.issuer}"']
    headers = {**ANYWHERE, "Cache-Control": "public, max-age=300"}
    return HttpResponse(
        "\n".join(lines) + "\n", content_type="text/plain; charset=utf-8", headers=headers
    )


def _account(asked: Mapping[str, str]) -> str:
    account = asked.get("account", "")
    if not conf.rail().is_account(account):
        raise BadRequest("account: A Stellar account, G and 55 more characters.")
    return account


def _count(request: Request, *, now_s: float) -> None:
    network = client_network(request)
    instructing.check_often("login", network, LOGINS_PER_NETWORK_MINUTE, now_s=now_s)
