import time

from django.conf import settings
from django.core.management.base import BaseCommand

from apicharge_site.preparing import prepare
from billing import channels
from billing.models import ChannelAccount
from marketplace import quoting


class Command(BaseCommand):
    help = "Once per deployment: migrations, verifying keys, a snapshot, channel accounts."
    requires_migrations_checks = False

    def handle(self, **_options: object) -> None:
        prepare()
        channels.ensure(now_s=time.time())
        for channel in ChannelAccount.objects.filter(network=settings.CHAIN.name, usable=False):
            self.stdout.write(f"Not usable yet ({channel.problem}): channel {channel.address}")
        self.stdout.write(f"Quote signer {quoting.signer_public_key().hex()}")
        self.stdout.write(f"Ready to serve {settings.ORIGIN}")
