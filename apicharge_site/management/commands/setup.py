import time

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apicharge_site.preparing import prepare
from billing import channels
from billing.domain.errors import NetworkUnavailable
from billing.models import ChannelAccount
from marketplace import quoting


class Command(BaseCommand):
    help = "Once per deployment: migrations, verifying keys, a snapshot, channel accounts."
    requires_migrations_checks = False

    def handle(self, **_options: object) -> None:
        prepare()
        try:
            channels.ensure(now_s=time.time())
        except NetworkUnavailable as problem:
            raise CommandError(
                f"{problem.detail} The database is ready, the channel accounts are not: start the "
                f"network of {settings.RPC_URL} or mend APICHARGE_RPC_URL, and run this again."
            ) from problem
        for channel in ChannelAccount.objects.filter(network=settings.CHAIN.name, usable=False):
            self.stdout.write(f"Not usable yet ({channel.problem}): channel {channel.address}")
        self.stdout.write(f"Quote signer {quoting.signer_public_key().hex()}")
        self.stdout.write(f"Ready to serve {settings.ORIGIN}")
