"""A buyer's authorization: checked before it is stored, stored once, answered again the same."""

from django.db import transaction

from billing import capping, conf, nudging, submitting
from billing.domain import freebies, logins
from billing.domain.errors import (
    AlreadyAuthorized,
    AuthorizationInvalid,
    PurchaseEnded,
    SalesStopped,
    TooMany,
)
from billing.domain.purchases import ENDS, Event, State
from billing.instructing import free_exceeded
from billing.models import Purchase
from billing.moving import move
from billing.orders import instruction_of, order_of
from billing.rails.port import Authorization, Kind, Offered, SignatureOffered
from gateway.domain import ed25519
from marketplace import suspending


def authorize(purchase_id: str, offered: Offered, *, now_s: float) -> Purchase:
    """Raises `AuthorizationInvalid` (nothing is stored) or what conflicts."""
    purchase = Purchase.objects.get(pk=purchase_id)
    authorization = _checked(purchase, offered)
    if purchase.state == State.INSTRUCTED:
        if suspending.is_stopped(purchase.route):
            raise SalesStopped("Sales were stopped before you signed: nothing was paid.")
        _store(purchase, authorization, now_s=now_s)
        purchase.refresh_from_db()
    if (purchase.authorization_kind, purchase.authorization) == (
        authorization.kind,
        authorization.body,
    ):
        return purchase
    if purchase.authorization:
        raise AlreadyAuthorized("Another valid authorization was given for this purchase.")
    if purchase.state in ENDS:
        raise PurchaseEnded(f"This purchase is {purchase.state}: {purchase.problem_detail}")
    return purchase  # Paid from elsewhere: there is nothing left to authorize.


def _store(purchase: Purchase, authorization: Authorization, *, now_s: float) -> None:
    wait_s = submitting.wait_s(authorization.kind, now_s=now_s)
    with transaction.atomic():
        if purchase.amount == 0 and (
            problem := free_exceeded(purchase.buyer, purchase.client_network, now_s=now_s)
        ):
            raise TooMany(problem, retry_after_s=3600)
        if purchase.amount == 0 and now_s > purchase.expires_at_s:
            raise PurchaseEnded("The quote has expired: get a new one.")
        if purchase.amount:
            caps = capping.caps_on(purchase.owner_id, purchase.buyer, purchase.asset)
            capping.hold_to(
                caps.select_for_update(),
                purchase.amount,
                purchase.asset_code,
                now_s=now_s,
                purchase=purchase.pk,
            )
        moved = move(
            purchase.pk,
            Event.AUTHORIZE,
            now_s=now_s,
            changes={
                "authorization_kind": authorization.kind.value,
                "authorization": authorization.body,
                "authorized_at_s": int(now_s),
                "due_at_ms": int((now_s + wait_s) * 1000),
            },
            detail={"kind": authorization.kind.value},
            known=State(purchase.state),
        )
        if moved and not wait_s:
            nudging.advance(purchase.pk)


def _checked(purchase: Purchase, offered: Offered) -> Authorization:
    if purchase.amount:
        return conf.rail().authorize(order_of(purchase), instruction_of(purchase), offered)
    if not isinstance(offered, SignatureOffered):
        raise AuthorizationInvalid("A free purchase is authorized by {signer, signature}.")
    key = conf.rail().account_key(purchase.buyer)
    message = bytes.fromhex(purchase.signing_hash)
    is_signed = ed25519.verify(key, message, offered.signature) or logins.signed_by(
        key, freebies.wallet_text(message), offered.signature
    )
    if offered.signer != purchase.buyer or not is_signed:
        raise AuthorizationInvalid("The signature is not the buyer's over authorization_to_sign.")
    return Authorization(Kind.FREE, offered.signature.hex())
