import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0012_vouchers")]

    operations = [
        migrations.CreateModel(
            name="HandOver",
            fields=[
                ("code_hash", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("origin", models.CharField(max_length=200)),
                ("base", models.CharField(blank=True, max_length=200)),
                ("cookie_path", models.CharField(max_length=1000)),
                ("back", models.CharField(max_length=2048)),
                ("token", models.TextField()),
                ("token_expires_at_s", models.BigIntegerField()),
                ("expires_at_s", models.BigIntegerField(db_index=True)),
                (
                    "purchase",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="billing.purchase",
                    ),
                ),
            ],
        ),
    ]
