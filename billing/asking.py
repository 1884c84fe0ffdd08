"""Asking for money back. The provider is told, and pays or says why not; we move no money."""

from django.db import IntegrityError, transaction
from django.db.models import Sum
from django.utils.translation import gettext as _

from billing import auditing, posting
from billing.domain.errors import RefundRefused
from billing.domain.purchases import PAID
from billing.domain.refunds import State as RefundState
from billing.domain.requests import TRANSITIONS, Event, State, before
from billing.models import Purchase, Refund, RefundRequest
from billing.webhooks import announcing, selling
from marketplace.domain import plans
from marketplace.models import Provider


def ask(purchase: Purchase, *, reason: str, asked_by: str, now_s: float) -> RefundRequest:
    """Raises RefundRefused: nothing is left to give back, or it was asked already."""
    if purchase.state not in PAID or left(purchase) < 1:
        raise RefundRefused(_("Nothing of what was paid is left to refund."))
    provider = selling.provider_of(purchase)
    try:
        with transaction.atomic():
            request = RefundRequest.objects.create(
                purchase=purchase,
                provider=provider,
                asked_by=asked_by[:160],
                reason=reason[:500],
                asked_at_s=int(now_s),
                moved_at_s=int(now_s),
            )
            auditing.record(
                action="refund.ask",
                subject=purchase.pk,
                now_s=now_s,
                actor=asked_by[:80],
                detail={"request": request.pk},
            )
            if provider is not None:
                _tell(provider, request, now_s=now_s)
    except IntegrityError:
        raise RefundRefused(_("You have asked already: the provider has not answered.")) from None
    return request


def decline(request: RefundRequest, *, answer: str, actor: str, now_s: float) -> bool:
    return _move(request, Event.DECLINE, actor=actor, now_s=now_s, answer=answer[:500])


def take_back(request: RefundRequest, *, actor: str, now_s: float) -> bool:
    return _move(request, Event.WITHDRAW, actor=actor, now_s=now_s)


def paid(purchase_id: str, *, now_s: float) -> None:
    """A refund of this purchase is on chain."""
    for request in RefundRequest.objects.filter(purchase=purchase_id):
        _move(request, Event.PAY, actor="", now_s=now_s)


def left(purchase: Purchase) -> int:
    """What was paid and did not come back, in base units."""
    done = Refund.objects.filter(purchase=purchase, state=RefundState.REFUNDED)
    return purchase.amount - (done.aggregate(sum=Sum("amount"))["sum"] or 0)


@transaction.atomic
def _move(
    request: RefundRequest, event: Event, *, actor: str, now_s: float, **changes: object
) -> bool:
    state = State(request.state)
    if state not in before(event):
        return False
    rows = RefundRequest.objects.filter(pk=request.pk, state=state)
    new = TRANSITIONS[state][event]
    if not rows.update(state=new, moved_at_s=int(now_s), **changes):
        return False
    auditing.record(
        action=f"refund.{event}_request" if event is not Event.PAY else "refund.settle_request",
        subject=request.purchase_id,
        now_s=now_s,
        actor=actor,
        detail={"request": request.pk},
    )
    return True


def _tell(provider: Provider, request: RefundRequest, *, now_s: float) -> None:
    purchase = request.purchase
    price = f"{plans.show_amount(purchase.amount)} {purchase.asset_code}"
    posting.post(
        provider.owner,
        _("A buyer asks for a refund of %(price)s") % {"price": price},
        _("Grant: %(grant)s\nRoute: %(route)s\n\n%(reason)s\n\nAnswer in your provider area.")
        % {"grant": purchase.pk, "route": purchase.route, "reason": request.reason},
        key=f"{selling.ASKED}:{request.pk}",
        now_s=now_s,
    )
    content = {
        "grant": purchase.pk,
        "route": purchase.route,
        "amount": str(purchase.amount),
        "asset": purchase.asset_code,
        "reason": request.reason,
    }
    announcing.announce(
        provider, selling.ASKED, content, key=f"{selling.ASKED}:{request.pk}", now_s=now_s
    )
