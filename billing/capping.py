"""What people allow to be spent, held to before a signature of theirs is used.

A cap is of the site's user, and counts what was bought under the account and by any wallet that it
proved: on pages and by programs. Who sends a signature to the network without us is not stopped.
"""

from collections.abc import Mapping
from datetime import timedelta

from django.db.models import Q, QuerySet, Sum

from accounts.models import Wallet
from billing.domain.errors import OverCap
from billing.domain.purchases import State
from billing.models import Purchase, SpendingCap
from marketplace.domain import plans

SPAN = timedelta(days=30)
SPENT = (State.AUTHORIZED, State.SUBMITTED, State.CONFIRMED, State.GRANTED)


def caps_on(owner: int | None, buyer: str, asset: str) -> QuerySet[SpendingCap]:
    """Of the account that it is bought for, and of the one whose wallet pays."""
    payers = Wallet.objects.filter(address=buyer).values("user")
    concerned = Q(user__in=payers) if owner is None else Q(user__in=payers) | Q(user=owner)
    return SpendingCap.objects.filter(concerned, asset=asset).order_by("pk")


def spent_by(user: int, *, now_s: float, but: str = "") -> Mapping[str, int]:
    """By asset: signed for or paid without us, and not come to nothing. `but` is not counted."""
    wallets = Wallet.objects.filter(user=user).values_list("address", flat=True)
    own = Q(owner=user) | Q(buyer__in=list(wallets))
    since_s = int(now_s - SPAN.total_seconds())
    lately = Q(authorized_at_s__gte=since_s) | Q(authorized_at_s=None, paid_at_s__gte=since_s)
    paid = Purchase.objects.filter(own, lately, amount__gt=0, state__in=SPENT).exclude(pk=but)
    return dict(paid.order_by().values_list("asset").annotate(sum=Sum("amount")))


def hold_to(
    caps: QuerySet[SpendingCap], amount: int, code: str, *, now_s: float, purchase: str = ""
) -> None:
    """Raises OverCap. Locked by whoever asks for it, so that two at once do not both fit in.

    `purchase` is what is asked for: the same request sent twice at once may have stored it already.
    """
    for cap in caps:
        before = spent_by(cap.user_id, now_s=now_s, but=purchase).get(cap.asset, 0)
        if before + amount > cap.amount:
            allowed, had = plans.show_amount(cap.amount), plans.show_amount(before)
            raise OverCap(
                f"The account allows {allowed} {code} in 30 days, and {had} are spent. "
                "Change it under Spending, or wait."
            )
