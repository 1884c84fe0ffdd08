"""Services that only some people see are probed, too, and found without a walk through all."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("marketplace", "0022_regions"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="service",
            index=models.Index(fields=["visibility"], name="services_by_visibility"),
        ),
    ]
