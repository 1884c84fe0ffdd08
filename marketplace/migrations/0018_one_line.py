"""Names and taglines are one line each. Published prices never change, so theirs is held by forms alone."""

import re
from typing import Any

import django.core.validators
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps
from django.db.models import QuerySet

ONE_LINE = django.core.validators.RegexValidator(
    "\\A[^\\x00-\\x1f\\x7f\\x85\\u2028\\u2029]*\\Z", "One line, without line breaks or tabs."
)
BREAKS = re.compile("[\\x00-\\x1f\\x7f\\x85\\u2028\\u2029]+")
NAMES = (("category", 60), ("provider", 80), ("route", 80), ("service", 80))
MENDED = {"provider": ["name"], "route": ["name"], "service": ["name", "tagline"]}
AT_ONCE = 1_000


def join_lines(apps: StateApps, _editor: BaseDatabaseSchemaEditor) -> None:
    """All that the validator refuses, as otherwise nothing else of such a row could be edited."""
    for model, fields in MENDED.items():
        rows, last = apps.get_model("marketplace", model).objects.order_by("pk"), 0
        while part := list(rows.filter(pk__gt=last).values("pk", *fields)[:AT_ONCE]):
            last = part[-1]["pk"]
            for row in part:
                _mend(rows, row.pop("pk"), row)
    _mend_categories(apps.get_model("marketplace", "category").objects.order_by("pk"))


def _one_line(said: str) -> str:
    return " ".join(BREAKS.sub(" ", said).split())


def _mend(rows: QuerySet[Any], pk: int, before: dict[str, str]) -> None:
    after = {field: _one_line(said) for field, said in before.items() if BREAKS.search(said)}
    if after:
        rows.filter(pk=pk).update(**after)


def _mend_categories(rows: QuerySet[Any]) -> None:
    """Few, and no two of one name."""
    for pk, name in list(rows.values_list("pk", "name")):
        if BREAKS.search(name):
            mended = _one_line(name)
            if rows.filter(name=mended).exists():
                mended = f"{mended[:40]} ({pk})"
            rows.filter(pk=pk).update(name=mended)


class Migration(migrations.Migration):
    atomic = False  # No column changes: validators are not the database's.

    dependencies = [
        ("marketplace", "0017_verified"),
    ]

    operations = [
        migrations.RunPython(join_lines, migrations.RunPython.noop),
        *(
            migrations.AlterField(
                model_name=model,
                name="name",
                field=models.CharField(
                    max_length=length, unique=model == "category", validators=[ONE_LINE]
                ),
            )
            for model, length in NAMES
        ),
        migrations.AlterField(
            model_name="routequote",
            name="name",
            field=models.CharField(
                help_text="Such as Day pass.", max_length=80, validators=[ONE_LINE]
            ),
        ),
        migrations.AlterField(
            model_name="service",
            name="tagline",
            field=models.CharField(
                help_text="One line, shown on the card.", max_length=140, validators=[ONE_LINE]
            ),
        ),
    ]
