from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("marketplace", "0002_published_prices_do_not_change"),
    ]

    operations = [
        migrations.AddField(
            model_name="route",
            name="message_bytes_max",
            field=models.PositiveIntegerField(blank=True, default=1048576),
        ),
        migrations.AddField(
            model_name="service",
            name="allowed_origins",
            field=models.JSONField(blank=True, default=list),
        ),
    ]
