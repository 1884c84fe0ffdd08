"""The purchase endpoints of protocol.md section 1. They parse, call one operation, answer."""

import time

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from billing import authorizing, conf, instructing, recovering, remembering
from billing.api import answers, bodies, credentials
from billing.api.endpoint import ID, Endpoint, client_network
from billing.api.statuses import bought, receipt, status
from billing.domain.errors import NotFound
from billing.instructing import Wish
from billing.models import Purchase
from billing.rails.port import TransactionOffered
from billing.remembering import Answer

LISTED_MAX = 100


class Purchases(Endpoint):
    @extend_schema(
        operation_id="purchases",
        responses={200: answers.Bought, **answers.problems(401)},
    )
    def get(self, request: Request) -> Response:
        """What the buyer who is logged in has bought, the newest 100."""
        rows = Purchase.objects.filter(buyer=credentials.buyer(request))[:LISTED_MAX]
        return Response({"purchases": [bought(row) for row in rows]})

    @extend_schema(
        operation_id="instruct",
        request=bodies.PurchaseBody,
        responses={201: answers.Instruction, **answers.problems(400, 409, 413, 422, 429, 503)},
        parameters=[answers.IDEMPOTENCY_KEY],
    )
    def post(self, request: Request) -> Response:
        """From a quote to a purchase instruction: what to sign."""
        now_s = time.time()
        body = bodies.PurchaseBody(data=request.data)
        body.is_valid(raise_exception=True)
        key = request.headers.get("Idempotency-Key")
        if key is None:
            answer = _instruct(body, request, now_s=now_s)
        else:
            answer = remembering.once(
                buyer=body.validated_data["buyer"],
                key=key,
                body=dict(request.data),
                now_s=now_s,
                make=lambda: _instruct(body, request, now_s=now_s),
            )
        location = {"Location": str(answer.body["status_url"])}
        return Response(answer.body, status=answer.status, headers=location)


class PurchaseStatus(Endpoint):
    @extend_schema(
        operation_id="purchase_status",
        responses={200: answers.Status, **answers.problems(404)},
    )
    def get(self, _request: Request, purchase_id: str) -> Response:
        """Where a purchase stands, and its grant once it has one."""
        return told(existing(purchase_id))


class Authorization(Endpoint):
    @extend_schema(
        operation_id="authorize",
        request=bodies.AuthorizationBody,
        responses={202: answers.Status, **answers.problems(400, 404, 409, 413, 422, 429)},
        parameters=[answers.PREFER],
    )
    def post(self, request: Request, purchase_id: str) -> Response:
        """The buyer's authorization. `Prefer: wait=N` waits for the grant."""
        existing(purchase_id)
        body = bodies.AuthorizationBody(data=request.data)
        body.is_valid(raise_exception=True)
        purchase = authorizing.authorize(purchase_id, body.offered(), now_s=time.time())
        return told(purchase, 202)


class Sep7Callback(Endpoint):
    parser_classes = [bodies.BoundedForm]

    @extend_schema(
        operation_id="sep7",
        request={"application/x-www-form-urlencoded": answers.SignedTransaction},
        responses={202: answers.Status, **answers.problems(400, 404, 409, 413, 422)},
    )
    def post(self, request: Request, purchase_id: str) -> Response:
        """Where a SEP-7 wallet posts the transaction that it signed."""
        existing(purchase_id)
        offered = TransactionOffered(bodies.posted_transaction(request.data))
        purchase = authorizing.authorize(purchase_id, offered, now_s=time.time())
        return told(purchase, 202)


class Recovery(Endpoint):
    @extend_schema(
        operation_id="recover",
        request=bodies.RecoverBody,
        responses={200: answers.Status, **answers.problems(400, 404, 422, 429, 503)},
    )
    def post(self, request: Request, purchase_id: str) -> Response:
        """The grant for a payment on chain, for whoever shows the quote that was paid."""
        if ID.fullmatch(purchase_id) is None:
            raise NotFound("There is no such purchase.")
        body = bodies.RecoverBody(data=request.data)
        body.is_valid(raise_exception=True)
        quote = instructing.paid_quote_from(body.validated_data["quote"])
        purchase = recovering.recover(
            purchase_id, quote, client_network=client_network(request), now_s=time.time()
        )
        return told(purchase)


def told(purchase: Purchase, code: int = 200) -> Response:
    return Response(status(purchase), status=code, headers=receipt(purchase))


def existing(purchase_id: str) -> Purchase:
    purchase = (
        Purchase.objects.filter(pk=purchase_id).first() if ID.fullmatch(purchase_id) else None
    )
    if purchase is None:
        raise NotFound("There is no such purchase.")
    return purchase


def _instruct(body: bodies.PurchaseBody, request: Request, *, now_s: float) -> Answer:
    asked = body.validated_data
    buyer = asked["buyer"]
    quote = (
        instructing.quote_from(asked["quote"])
        if "quote" in asked
        else instructing.quote_with(asked["digest"])
    )
    access_key = asked.get("access_key") or conf.rail().account_key(buyer)
    wish = Wish(quote, buyer, access_key, client_network(request))
    return Answer(201, instructing.answer(instructing.instruct(wish, now_s=now_s)))
