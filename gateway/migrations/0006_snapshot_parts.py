"""Configuration in parts. Whoever publishes next writes all of them; `setup` does."""

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def drop_former(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    """Each of them held the whole catalogue; a gate of the former release needs the newest."""
    Snapshot = apps.get_model("gateway", "Snapshot")
    newest = Snapshot.objects.order_by("-version").only("version").first()
    if newest is not None:
        Snapshot.objects.filter(version__lt=newest.version).delete()


class Migration(migrations.Migration):
    dependencies = [("gateway", "0005_token_of_a_call")]

    operations = [
        migrations.CreateModel(
            name="SnapshotPart",
            fields=[
                (
                    "service",
                    models.BigIntegerField(
                        help_text="The service's id; 0: the issuer and the verifying keys.",
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "version",
                    models.BigIntegerField(db_index=True, help_text="In which it last changed."),
                ),
                ("body", models.JSONField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="SnapshotAddress",
            fields=[
                ("address", models.TextField(primary_key=True, serialize=False)),
                ("service", models.BigIntegerField(db_index=True)),
            ],
        ),
        migrations.AlterField(
            model_name="snapshot",
            name="body",
            field=models.JSONField(help_text="Which services changed with it, by their slugs."),
        ),
        migrations.RunPython(drop_former, migrations.RunPython.noop),
    ]
