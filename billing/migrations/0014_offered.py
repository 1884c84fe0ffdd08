from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0013_hand_overs"),
    ]

    operations = [
        migrations.AddField(
            model_name="purchase",
            name="is_offered",
            field=models.BooleanField(default=False),
        ),
    ]
