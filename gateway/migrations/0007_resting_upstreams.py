"""Which upstreams gates leave alone."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0006_snapshot_parts"),
    ]

    operations = [
        migrations.CreateModel(
            name="RestingUpstream",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("node", models.CharField(max_length=32)),
                ("service", models.CharField(max_length=63)),
                ("url", models.CharField(max_length=500)),
                (
                    "is_down",
                    models.BooleanField(
                        help_text="By its health check; else by calls that failed."
                    ),
                ),
                ("since", models.DateTimeField()),
                ("seen_at", models.DateTimeField(db_index=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("node", "service", "url"), name="one_rest_a_node"
                    ),
                ],
            },
        ),
    ]
