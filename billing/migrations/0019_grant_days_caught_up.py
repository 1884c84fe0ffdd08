"""Days of grants that were summed up before get what their minutes say, as far as those are kept.

One day is one transaction, in which nobody sums up. What was done is done again without harm.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import migrations, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps
from django.db.models import QuerySet

AT_ONCE = 500
DAY = timedelta(days=1)
Of = tuple[str, str]
"""A grant and a route."""


def catch_up(apps: StateApps, _editor: BaseDatabaseSchemaEditor) -> None:
    minutes = apps.get_model("gateway", "UsageMinute").objects.exclude(grant="").exclude(provider=0)
    rows = minutes.exclude(upstream_failures=0, refusals={})
    oldest = rows.order_by("minute").values_list("minute", flat=True).first()
    if oldest is None:
        return
    begin = oldest.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    while _complete(apps, rows, begin):
        begin += DAY


@transaction.atomic
def _complete(apps: StateApps, rows: QuerySet[Any], begin: datetime) -> bool:
    marks = apps.get_model("billing", "SummedUntil").objects.select_for_update()
    until = marks.values_list("minute", flat=True).first()
    if until is None or until <= begin:
        return False
    failures: Counter[Of] = Counter()
    refusals: dict[Of, Counter[str]] = defaultdict(Counter)
    of_day = rows.filter(minute__gte=begin, minute__lt=min(until, begin + DAY))
    for row in of_day.only("grant", "route", "upstream_failures", "refusals").iterator():
        failures[row.grant, row.route] += row.upstream_failures
        refusals[row.grant, row.route].update(row.refusals)
    _write(apps.get_model("billing", "GrantDay").objects.filter(day=begin), failures, refusals)
    return True


def _write(days: QuerySet[Any], failures: Counter[Of], refusals: Mapping[Of, Counter[str]]) -> None:
    grants = sorted({grant for grant, _ in failures})
    for first in range(0, len(grants), AT_ONCE):
        found = days.filter(grant__in=grants[first : first + AT_ONCE]).order_by("grant", "route")
        changed = [row for row in found if (row.grant, row.route) in failures]
        for row in changed:
            row.failures = failures[row.grant, row.route]
            row.refusals = dict(refusals[row.grant, row.route])
        days.bulk_update(changed, ["failures", "refusals"], batch_size=AT_ONCE)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("billing", "0018_first_uses_seen"),
        ("gateway", "0003_usage"),
    ]

    operations = [
        migrations.RunPython(catch_up, migrations.RunPython.noop),
    ]
