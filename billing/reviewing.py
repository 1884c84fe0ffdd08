"""Who may review a service: whoever paid for a grant of it, used it, and proves to be its buyer.

A free grant costs nothing, so it proves nothing; and a provider does not review itself.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.db.models import Case, CharField, Exists, OuterRef, Q, Value, When
from django.db.models.functions import StrIndex, Substr

from billing.account.viewing import Viewer, purchases
from billing.models import Purchase
from gateway.models import LimiterLedger, UsageMinute
from marketplace import listing
from marketplace.models import Review, Service


@dataclass(frozen=True, slots=True)
class Opinion:
    stars: int
    text: str


SPENT = LimiterLedger.objects.filter(grant=OuterRef("pk"), used__gt=0)
CALLED = UsageMinute.objects.filter(grant=OuterRef("pk"), calls__gt=0)
USED = Exists(SPENT) | Exists(CALLED)


class Invited(StrEnum):
    """On a grant's own page."""

    NO = ""
    TO_WRITE = "write"
    TO_CHANGE = "change"


def proof(who: Viewer, service: Service) -> Purchase | None:
    """The purchase that lets this visitor review the service; the newest of them."""
    if who.user is not None and who.user.pk == service.provider.owner_id:
        return None
    own = Q(buyer__in=who.wallets) if who.user is None else _own(who)
    paid = purchases(who).filter(
        own,
        USED,
        route__startswith=f"{service.slug}/",
        amount__gt=0,
        created_at_s__gte=int(service.created_at.timestamp()),
    )
    others = paid.exclude(buyer=service.provider.payout_address)
    return others.order_by("-created_at_s").first()


def invited() -> Case:
    """Of a purchase: once the grant was used; whether that is enough, the page of reviews says."""
    slug = Substr(OuterRef("route"), 1, StrIndex(OuterRef("route"), Value("/")) - 1)
    written = Exists(Review.objects.filter(service__slug=slug, buyer=OuterRef("buyer")))
    return Case(
        When(Q(amount=0) | ~Q(USED), then=Value(Invited.NO)),
        When(written, then=Value(Invited.TO_CHANGE)),
        default=Value(Invited.TO_WRITE),
        output_field=CharField(),
    )


def _own(who: Viewer) -> Q:
    """Not what only a token was shown of: whoever it was lent to is not its buyer."""
    return Q(owner=who.user) | Q(buyer__in=who.wallets)


def written(who: Viewer, service: Service) -> Review | None:
    """The visitor's own review, where there is one."""
    found = proof(who, service)
    if found is None:
        return None
    return Review.objects.filter(service=service, buyer=found.buyer).first()


def write(bought: Purchase, service: Service, opinion: Opinion, now: datetime) -> Review:
    """The buyer's one review of the service, for the first time or anew."""
    review, created = Review.objects.get_or_create(
        service=service,
        buyer=bought.buyer,
        defaults={"grant": bought.pk, "stars": opinion.stars, "text": opinion.text},
    )
    if not created:
        Review.objects.filter(pk=review.pk).update(
            stars=opinion.stars, text=opinion.text, changed_at=now
        )
    listing.refresh([service.pk])
    return review
