"""More for the holder of a grant, for nothing: as a provider's excuse, or as its thanks.

What was bought is never changed, so a grant is not made longer. Its holder is given another one,
by a voucher that nobody has a code of: it is taken on the page of the grant, signed as any free
grant is, and has the same access key.
"""

import secrets
from dataclasses import dataclass
from datetime import timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery
from django.utils.translation import gettext as _

from accounts.models import Wallet
from billing import auditing, conf, posting, vouchers
from billing.domain.errors import Conflict, NotFound
from billing.models import Purchase, Voucher
from billing.models.vouchers import GIFT
from marketplace.models import RouteQuote

LASTS = timedelta(days=30)
"""So long it waits to be taken."""


def give(
    purchase: Purchase, price: RouteQuote, *, reason: str, actor: str, now_s: float
) -> Voucher:
    """`reason` is for the holder to read. One at a time: a form that is sent twice gives once."""
    provider = price.route.service.provider
    with transaction.atomic():
        Purchase.objects.select_for_update().get(pk=purchase.pk)
        if _open(now_s).filter(given_for=purchase).exists():
            raise Conflict(
                _("Another one waits on the page of this grant, and is to be taken first.")
            )
        gift = Voucher.objects.create(
            provider=provider,
            price=price,
            given_for=purchase,
            digest=secrets.token_hex(32),  # Of no code.
            hint=GIFT,
            uses_max=1,
            until_s=int(now_s + LASTS.total_seconds()),
            note=reason,
            created_at_s=int(now_s),
        )
        _tell(gift, now_s=now_s)
        auditing.record(
            action="grant.give",
            subject=purchase.pk,
            now_s=now_s,
            actor=actor,
            detail={"price": str(price), "reason": reason},
        )
    return gift


@dataclass(frozen=True, slots=True)
class Gift:
    """What waits for the holder of a grant, as its page says it."""

    id: int
    plan: str
    provider: str
    reason: str


def waiting(now_s: float) -> dict[str, Subquery]:
    """Of a purchase: the first gift that its holder can still take."""
    first = _open(now_s).filter(given_for=OuterRef("pk")).order_by("pk")
    told = {"id": "pk", "plan": "price__name", "provider": "provider__name", "reason": "note"}
    return {f"gift_{name}": Subquery(first.values(path)[:1]) for name, path in told.items()}


def of(purchase: Purchase) -> Gift | None:
    """Of one that is annotated so."""
    told = {name: getattr(purchase, f"gift_{name}") for name in Gift.__dataclass_fields__}
    return None if told["id"] is None else Gift(**told)


def _open(now_s: float) -> QuerySet[Voucher]:
    gifts = Voucher.objects.filter(uses=0, ended_at_s=None, price__route__removed_at=None)
    return gifts.filter(until_s__gt=int(now_s))


def take(purchase: Purchase, gift_id: int, client_network: str, *, now_s: float) -> Purchase:
    """An instructed purchase, for the same buyer to sign."""
    known = _open(now_s).select_related("price__route__service__provider")
    gift = known.filter(given_for=purchase, pk=gift_id).first()
    if gift is None:
        raise NotFound(_("This is not there any more."))
    key = bytes.fromhex(purchase.access_key)
    return vouchers.use(gift, purchase.buyer, key, client_network, now_s=now_s)


def _tell(gift: Voucher, *, now_s: float) -> None:
    purchase = gift.given_for
    assert purchase is not None
    user = purchase.owner
    if user is None:
        wallet = Wallet.objects.filter(address=purchase.buyer).select_related("user").first()
        user = None if wallet is None else wallet.user
    if not isinstance(user, User):
        return
    address = f"{conf.conf().origin}/account/grants/{purchase.pk}/"
    words = {"provider": gift.provider.name, "plan": gift.price.name, "reason": gift.note}
    subject = _("%(provider)s gives you %(plan)s for nothing") % words
    body = _("%(reason)s\n\nTake it here:\n%(address)s\n") % {**words, "address": address}
    posting.post(user, subject, body, key=f"gift:{gift.pk}", now_s=now_s)
