"""What a provider promises about refunds, and how many of a service's buyers bought again."""

from django.core.validators import RegexValidator
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("marketplace", "0025_incidents"),
    ]

    operations = [
        migrations.AddField(
            model_name="service",
            name="refunds",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="Your promise, shown with your plans, such as: all of it, before the first "
                "call.",
                max_length=200,
                validators=[
                    RegexValidator(
                        "\\A[^\\x00-\\x1f\\x7f\\x85\\u2028\\u2029]*\\Z",
                        "One line, without line breaks or tabs.",
                    )
                ],
                verbose_name="refund rule",
            ),
        ),
        migrations.AddField(
            model_name="standing",
            name="repeat_buyers",
            field=models.PositiveIntegerField(
                db_default=0, default=0, help_text="Of these, who bought more than once."
            ),
        ),
    ]
