from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0016_grant_days"),
    ]

    operations = [
        migrations.AddField(
            model_name="routeday",
            name="views",
            field=models.BigIntegerField(default=0, db_default=0),
        ),
    ]
