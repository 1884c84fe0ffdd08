"""Days of grants say as much as their minutes do: failures, and refusals by reason, too.

Processes of the version before still insert days while this is there, without these columns.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0015_shop_notices"),
    ]

    operations = [
        migrations.AddField(
            model_name="grantday",
            name="failures",
            field=models.BigIntegerField(default=0, db_default=0),
        ),
        migrations.AddField(
            model_name="grantday",
            name="refusals",
            field=models.JSONField(default=dict, db_default={}),
        ),
    ]
