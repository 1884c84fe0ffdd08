"""Now that names are one line each, the database holds them to it."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [
        ("marketplace", "0019_found_by_key"),
    ]

    operations = [
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
        for model in ("provider", "route", "service")
    ]
