from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("marketplace", "0015_members"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="standing",
            index=models.Index(
                condition=models.Q(("down_since__isnull", False), ("listed", True)),
                fields=["service"],
                name="listed_and_down",
            ),
        ),
    ]
