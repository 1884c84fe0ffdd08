"""A voucher may be for the holder of one grant alone."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0020_spending_caps"),
    ]

    operations = [
        migrations.AddField(
            model_name="voucher",
            name="given_for",
            field=models.ForeignKey(
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="gifts",
                to="billing.purchase",
            ),
        ),
    ]
