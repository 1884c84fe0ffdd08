"""Names are one line each. Published prices never change, so theirs is held by forms alone."""

import django.core.validators
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps
from django.db.models import Q

ONE_LINE = django.core.validators.RegexValidator(
    "\\A[^\\x00-\\x1f\\x7f\\x85\\u2028\\u2029]*\\Z", "One line, without line breaks or tabs."
)
HELD = ("provider", "route", "service")
NAMES = (("category", 60), ("provider", 80), ("route", 80), ("service", 80))


def join_lines(apps: StateApps, _editor: BaseDatabaseSchemaEditor) -> None:
    for name in HELD:
        rows = apps.get_model("marketplace", name).objects
        for row in rows.filter(Q(name__contains="\n") | Q(name__contains="\r")).only("name"):
            rows.filter(pk=row.pk).update(name=" ".join(row.name.split()))


class Migration(migrations.Migration):
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
        *(
            migrations.AddConstraint(
                model_name=model,
                constraint=models.CheckConstraint(
                    condition=Q(
                        Q(("name__contains", "\n"), _negated=True),
                        Q(("name__contains", "\r"), _negated=True),
                    ),
                    name=f"{model}_name_is_one_line",
                ),
            )
            for model in HELD
        ),
    ]
