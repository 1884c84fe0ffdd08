"""A grant gets its rows here, in the transaction that issues it, and nowhere else."""

from gateway.domain.limits import NO_WINDOW, is_quota
from gateway.domain.tokens import Grant, Starts
from gateway.models import GrantLedger, LimiterLedger


def open_ledger(grant: Grant) -> None:
    """Idempotent: a grant that has its rows keeps them as they are."""
    first_use = grant.starts is Starts.FIRST_USE
    _, made = GrantLedger.objects.get_or_create(
        grant_id=grant.id,
        defaults={
            "route": grant.route,
            "limits": [limit.terms() for limit in grant.limits],
            "not_before": grant.not_before,
            "expires_at": grant.expires_at,
            "starts_first_use": first_use,
            "access_seconds": grant.access_seconds if first_use else None,
        },
    )
    if made:
        LimiterLedger.objects.bulk_create(
            LimiterLedger(
                grant_id=grant.id,
                index=index,
                window=NO_WINDOW,
                kind=limit.kind,
                limit=limit.total,
            )
            for index, limit in enumerate(grant.limits)
            if is_quota(limit)
        )
