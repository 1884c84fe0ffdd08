from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0003_usage"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="grantledger",
            index=models.Index(
                condition=models.Q(("first_used_at__isnull", False)),
                fields=["first_used_at"],
                name="ledger_begun",
            ),
        ),
    ]
