"""What a grant's limiters allow, against what was sold: the rows that calls are counted by.

A quota allows what was sold, in each of its windows. Credits may have been given on top, by
bookings, which are rows as well.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from django.db.models import Sum

from gateway.domain.limits import NO_WINDOW, Credits, Limit, is_quota
from gateway.domain.tokens import Grant
from gateway.models import Booking, LimiterLedger


@dataclass(frozen=True, slots=True)
class Allowed:
    """The limiters of some grants, and the credits that they were given."""

    rows: Mapping[str, list[LimiterLedger]] = field(default_factory=dict)
    given: Mapping[str, int] = field(default_factory=dict)

    @staticmethod
    def of(grant_ids: Iterable[str]) -> "Allowed":
        ids = list(grant_ids)
        rows: dict[str, list[LimiterLedger]] = {}
        for row in LimiterLedger.objects.filter(grant_id__in=ids).order_by("pk"):
            rows.setdefault(row.grant_id, []).append(row)
        bookings = Booking.objects.filter(grant_id__in=ids, credits__gt=0, refused=False)
        given = bookings.values_list("grant_id").annotate(total=Sum("credits"))
        return Allowed(rows, dict(given))

    def differs(self, grant: Grant) -> str:
        """Which limiters are not as they were sold; nothing when all are."""
        return ", ".join(self._differences(grant))

    def _differences(self, grant: Grant) -> Iterator[str]:
        sold = {index: limit for index, limit in enumerate(grant.limits) if is_quota(limit)}
        rows = self.rows.get(grant.id, [])
        for index in sorted(sold.keys() - {row.index for row in rows if row.window == NO_WINDOW}):
            yield f"{sold[index].kind} has no row"
        for row in rows:
            if row.index not in sold or row.kind != sold[row.index].kind:
                yield f"{row.kind} was not sold"
            elif not self._fits(row, sold[row.index]):
                yield f"{row.kind} allows {row.limit}"

    def _fits(self, row: LimiterLedger, limit: Limit) -> bool:
        assert is_quota(limit)
        most = limit.total
        if isinstance(limit, Credits):
            most += self.given.get(row.grant_id, 0)
        return limit.total <= row.limit <= most
