"""Nearly all services are published: an index by that led SQLite through all of them."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("marketplace", "0018_one_line"),
    ]

    operations = [
        migrations.RemoveIndex(model_name="service", name="service_by_age"),
    ]
