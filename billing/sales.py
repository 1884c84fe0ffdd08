"""How often each signed quote was paid for: what the catalogue's pages call demand."""

from collections.abc import Mapping

from django.db.models import Count

from billing.domain.purchases import State
from billing.models import Purchase


def sold_since(since_s: int) -> Mapping[str, int]:
    """By the quote's digest. Free grants are no sales."""
    paid = Purchase.objects.filter(state=State.GRANTED, amount__gt=0, created_at_s__gte=since_s)
    counted = paid.order_by().values_list("digest").annotate(count=Count("pk"))
    return dict(counted)
