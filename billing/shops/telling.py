"""Limits of a shop's grants that are used up, told to the shop once each.

Of the grants that were used lately, which is what the look at buyers' notices has read anyway.
"""

from collections.abc import Iterator, Mapping

from billing.models import Purchase
from billing.webhooks import selling
from gateway.domain.limits import Quota, is_quota
from gateway.ledgers.reading import GrantUsage
from gateway.models import Lease


def tell_used_up(
    purchases: Mapping[str, Purchase], usages: Mapping[str, GrantUsage], *, now_s: float
) -> None:
    found = [(pk, *each) for pk, usage in usages.items() for each in _used_up(usage, now_s=now_s)]
    if not found:
        return
    leases = Lease.objects.filter(limiter__grant__in={pk for pk, *_ in found})
    out = set(leases.values_list("limiter__grant", "limiter__index"))
    left = [each for each in found if each[:2] not in out]
    selling.used_up(((purchases[pk], index, limit) for pk, index, limit in left), now_s=now_s)


def is_out_on_lease(grant_id: str, index: int) -> bool:
    """Then some of it may come back, and is told of in a moment."""
    return Lease.objects.filter(limiter__grant=grant_id, limiter__index=index).exists()


def _used_up(usage: GrantUsage, *, now_s: float) -> Iterator[tuple[int, Quota]]:
    if now_s >= usage.ends_at_s:
        return
    for index, each in enumerate(usage.limits):
        if is_quota(each.limit) and each.left == 0:
            yield index, each.limit
