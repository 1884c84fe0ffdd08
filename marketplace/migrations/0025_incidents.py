"""A note of a service may be an incident, and over."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("marketplace", "0024_found_by"),
    ]

    operations = [
        migrations.AddField(
            model_name="servicenote",
            name="kind",
            field=models.CharField(
                choices=[
                    ("note", "A note in the changelog"),
                    (
                        "incident",
                        "An incident: told at the head of the service's page until it is over",
                    ),
                ],
                db_default="note",
                default="note",
                max_length=8,
            ),
        ),
        migrations.AddField(
            model_name="servicenote",
            name="over_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
    ]
