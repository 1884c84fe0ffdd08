"""Days of grants say as much as their minutes do: failures, and refusals by reason, too."""

from collections import Counter, defaultdict
from datetime import UTC

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def catch_up(apps: StateApps, _editor: BaseDatabaseSchemaEditor) -> None:
    """From the minutes that are still kept, as far as they were summed up."""
    mark = apps.get_model("billing", "SummedUntil").objects.values_list("minute", flat=True)
    until = mark.first()
    if until is None:
        return
    minutes = apps.get_model("gateway", "UsageMinute").objects.exclude(grant="").exclude(provider=0)
    rows = minutes.filter(minute__lt=until).exclude(upstream_failures=0, refusals={})
    failures: Counter[tuple[str, str, object]] = Counter()
    refusals: dict[tuple[str, str, object], Counter[str]] = defaultdict(Counter)
    for row in rows.only("grant", "route", "minute", "upstream_failures", "refusals").iterator():
        key = (row.grant, row.route, row.minute.astimezone(UTC).date())
        failures[key] += row.upstream_failures
        refusals[key].update(row.refusals)
    days = apps.get_model("billing", "GrantDay").objects
    for (grant, route, day), failed in failures.items():
        days.filter(grant=grant, route=route, day=day).update(
            failures=failed, refusals=dict(refusals[grant, route, day])
        )


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0015_shop_notices"),
        ("gateway", "0003_usage"),
    ]

    operations = [
        migrations.AddField(
            model_name="grantday",
            name="failures",
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="grantday",
            name="refusals",
            field=models.JSONField(default=dict),
        ),
        migrations.RunPython(catch_up, migrations.RunPython.noop),
    ]
