from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0017_views"),
    ]

    operations = [
        migrations.CreateModel(
            name="FirstUsesSeen",
            fields=[
                (
                    "id",
                    models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False),
                ),
                ("until_s", models.FloatField(default=0.0)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("id", 1)), name="one_first_uses_seen"
                    )
                ],
            },
        ),
    ]
