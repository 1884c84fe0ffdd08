"""What passes earned in the last 30 days: each price, spread evenly over the time in which the pass
can be used. What was sold for longer counts for as much of it as has gone by.
"""

from datetime import datetime, timedelta

from django.db.models import F, FloatField, Q, Sum
from django.db.models.functions import Cast, Greatest, Least

from billing.domain.purchases import State

EARNED = timedelta(days=30)
BEGINS, ENDS = F("granted__created_at_s"), F("granted__expires_at_s")


def running(now: datetime) -> Q:
    """Purchases that could be used at some time of these 30 days."""
    since_s = int((now - EARNED).timestamp())
    return Q(
        state=State.GRANTED,
        amount__gt=0,
        granted__created_at_s__lt=int(now.timestamp()),
        granted__expires_at_s__gt=Greatest(BEGINS, since_s),
    )


def earned(now: datetime) -> Sum:
    """Of purchases, in base units and a fraction."""
    now_s, since_s = int(now.timestamp()), int((now - EARNED).timestamp())
    gone_by = Least(ENDS, now_s) - Greatest(BEGINS, since_s)
    share = Cast(gone_by, FloatField()) / Cast(ENDS - BEGINS, FloatField())
    amount = Cast("amount", FloatField())
    return Sum(amount * share, filter=running(now), output_field=FloatField())
