import django.db.models.deletion
from django.db import migrations, models

import marketplace.models.offering


class Migration(migrations.Migration):
    dependencies = [
        ("marketplace", "0011_payout_changes"),
    ]

    operations = [
        migrations.AddField(
            model_name="provider",
            name="is_suspended",
            field=models.BooleanField(default=False, editable=False),
        ),
        migrations.AddField(
            model_name="service",
            name="is_held",
            field=models.BooleanField(
                default=False, editable=False, verbose_name="waits for review"
            ),
        ),
        # What was there before is not held, whatever the setting says now.
        migrations.AlterField(
            model_name="service",
            name="is_held",
            field=models.BooleanField(
                default=marketplace.models.offering.held_first,
                editable=False,
                verbose_name="waits for review",
            ),
        ),
        migrations.AddField(
            model_name="service",
            name="is_suspended",
            field=models.BooleanField(default=False, editable=False),
        ),
        migrations.CreateModel(
            name="Suspension",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "reason",
                    models.CharField(
                        help_text="The provider and the buyers read it.", max_length=300
                    ),
                ),
                (
                    "ends_grants",
                    models.BooleanField(
                        default=False,
                        help_text="Each buyer is told why, and a refund is asked for in the buyer's name. Without this, what was sold runs on until its end.",
                        verbose_name="end running grants too",
                    ),
                ),
                ("suspended_by", models.CharField(editable=False, max_length=150)),
                ("suspended_at", models.DateTimeField(editable=False)),
                ("grants_ended_at", models.DateTimeField(editable=False, null=True)),
                (
                    "lifted_by",
                    models.CharField(blank=True, default="", editable=False, max_length=150),
                ),
                ("lifted_at", models.DateTimeField(editable=False, null=True)),
                (
                    "provider",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="suspensions",
                        to="marketplace.provider",
                    ),
                ),
                (
                    "service",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="suspensions",
                        to="marketplace.service",
                    ),
                ),
            ],
            options={
                "ordering": ["-suspended_at"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("provider__isnull", True), ("service__isnull", False)),
                            models.Q(("provider__isnull", False), ("service__isnull", True)),
                            _connector="OR",
                        ),
                        name="suspension_of_one_thing",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("lifted_at", None)),
                        fields=("service",),
                        name="service_suspended_once",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("lifted_at", None)),
                        fields=("provider",),
                        name="provider_suspended_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("lifted_at", None), ("lifted_by", "")),
                            models.Q(
                                ("lifted_at__gte", models.F("suspended_at")),
                                models.Q(("lifted_by", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="suspension_was_lifted_by_somebody",
                    ),
                ],
            },
        ),
    ]
