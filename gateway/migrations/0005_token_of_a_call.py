"""Which access token a call came with, by the id that its client gave it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0004_ledgers_begun"),
    ]

    operations = [
        migrations.AddField(
            model_name="recentcall",
            name="token",
            field=models.CharField(
                db_default="", default="", help_text="The client's.", max_length=64
            ),
        ),
    ]
