from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("marketplace", "0016_down"),
    ]

    operations = [
        migrations.AddField(
            model_name="standing",
            name="verified",
            field=models.BooleanField(
                default=False, db_default=False, help_text="Its provider's domain is proven."
            ),
        ),
        migrations.AddIndex(
            model_name="standing",
            index=models.Index(
                condition=models.Q(("listed", True), ("verified", True)),
                fields=["service"],
                name="listed_and_verified",
            ),
        ),
    ]
