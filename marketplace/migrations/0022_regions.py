from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("marketplace", "0021_verified_so_far"),
    ]

    operations = [
        migrations.AddField(
            model_name="service",
            name="regions",
            field=models.JSONField(
                blank=True,
                db_default=[],
                default=list,
                help_text="Where it runs; the catalogue can be narrowed to it.",
            ),
        ),
        migrations.AddField(
            model_name="standing",
            name="regions",
            field=models.PositiveSmallIntegerField(
                db_default=0, default=0, help_text="A bit for each."
            ),
        ),
    ]
