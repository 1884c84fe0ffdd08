from django.conf import settings
from django.core.management.base import BaseCommand

from apicharge_site.preparing import prepare
from marketplace import quoting


class Command(BaseCommand):
    help = "Once per deployment: migrations, the keys that tokens are verified with, a snapshot."
    requires_migrations_checks = False

    def handle(self, **_options: object) -> None:
        prepare()
        signer = quoting.signer_public_key().hex()
        self.stdout.write(f"Ready to serve {settings.ORIGIN} with quote signer {signer}")
