"""What has to be true of a database before anything serves it. Every step may be repeated."""

from django.core.management import call_command
from django.db import transaction

from billing import auditors, keys
from marketplace import publishing


def prepare() -> None:
    call_command("migrate", verbosity=0, interactive=False)
    with transaction.atomic():
        keys.ensure_registered()
        auditors.ensure()
        publishing.publish_everything()
