"""A paid purchase becomes a grant: token, ledger rows and state in one transaction, once."""

from django.db import transaction

from billing import conf, keys, noticing
from billing.domain.grants import Sale, grant_for
from billing.domain.purchases import Event, State, allows
from billing.models import GrantedToken, Purchase
from billing.moving import move
from billing.orders import quote_of
from billing.webhooks import selling
from gateway.domain import ed25519, tokens
from gateway.domain.tokens import Grant
from gateway.ledgers.opening import open_ledger


def issue(purchase_id: str, *, now_s: float) -> bool:
    """Sign and store the token. False when it was granted already, or is not paid."""
    with transaction.atomic():
        purchase = Purchase.objects.select_for_update().get(pk=purchase_id)
        event = Event.GRANT if purchase.amount else Event.GRANT_FREE
        if not allows(State(purchase.state), event):
            return False
        grant = grant_of(purchase)
        kid = keys.ensure_registered()
        moved = move(
            purchase_id,
            event,
            now_s=now_s,
            changes={
                "due_at_ms": None,
                "notice_due_at_s": noticing.first_look_s(purchase, grant.expires_at, now_s=now_s),
            },
            detail={"kid": kid, "expires_at": grant.expires_at},
            known=State(purchase.state),
        )
        if not moved:
            return False
        signing_input = tokens.grant_signing_input(grant, kid)
        GrantedToken.objects.create(
            purchase=purchase,
            token=tokens.assemble(signing_input, ed25519.sign(conf.grant_seed(), signing_input)),
            kid=kid,
            expires_at_s=grant.expires_at,
            created_at_s=int(now_s),
        )
        open_ledger(grant)
        if purchase.amount:
            selling.sold(purchase, now_s=now_s)
        return True


def grant_of(purchase: Purchase) -> Grant:
    """What the purchase was sold as; the same row always makes the same grant."""
    return grant_for(quote_of(purchase), _sale(purchase), issuer=conf.conf().origin)


def _sale(purchase: Purchase) -> Sale:
    pay: dict[str, object] | None = None
    at_s = purchase.authorized_at_s
    if purchase.amount:
        at_s = purchase.paid_at_s
        pay = {
            "network": purchase.network,
            "contract": purchase.contract,
            "tx": purchase.paid_tx_hash,
            "amount": str(purchase.amount),
            "asset": purchase.asset_code,
        }
    if at_s is None:
        raise ValueError(f"{purchase.pk} is {purchase.state}: nothing to grant it for")
    return Sale(purchase.pk, purchase.buyer, bytes.fromhex(purchase.access_key), at_s, pay)
