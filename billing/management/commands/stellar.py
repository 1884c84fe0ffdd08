"""`manage.py stellar setup|deploy|channels|status`: the network that is paid on, from our side."""

import time
from argparse import ArgumentParser
from collections.abc import Iterator

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q

from billing import advancing, channels, conf
from billing.domain.errors import NetworkUnavailable
from billing.models import ChannelAccount
from billing.rails.stellar.founding import Step
from marketplace import quoting
from marketplace.models import RouteQuote


class Command(BaseCommand):
    help = "Prepare and look after the payment network: accounts, contracts, channels."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=["setup", "deploy", "channels", "status"])
        parser.add_argument("--dry-run", action="store_true", help="say what would be done")
        parser.add_argument("--yes", action="store_true", help="needed on pubnet")
        parser.add_argument("--count", type=int, help="of channels; APICHARGE_CHANNELS")

    def handle(
        self, *, what: str, dry_run: bool, yes: bool, count: int | None, **_options: object
    ) -> None:
        count = conf.conf().channels if count is None else count
        self._left = 0
        try:
            if what == "status":
                self._status()
                return
            if conf.conf().chain.name == "pubnet" and not (dry_run or yes):
                raise CommandError("On pubnet lumens are money: look at --dry-run, then say --yes.")
            for step in _steps(what, count):
                self._take(step, dry_run=dry_run)
        except NetworkUnavailable as problem:
            raise CommandError(str(problem)) from problem
        if self._left:
            raise CommandError(f"{self._left} left to do.")

    def _take(self, step: Step, *, dry_run: bool) -> None:
        if step.done:
            self.stdout.write(f"  have   {step.words}")
        elif step.act is None:
            self._left += 1
            self.stdout.write(f"  WANTED {step.words}: {step.advice}")
        elif dry_run:
            self._left += 1
            self.stdout.write(f"  would  {step.words}")
        else:
            self.stdout.write(f"  making {step.words} …")
            self.stdout.flush()
            step.act()
            self.stdout.write(f"  made   {step.words}")

    def _status(self) -> None:
        known, founding = conf.conf(), conf.founding()
        latest, followed = founding.latest_ledger(), advancing.followed_ledger()
        say = self.stdout.write
        say(f"network   {known.chain.name} at {known.rpc_url}, protocol {founding.protocol()}")
        say(f"ledger    {latest}, followed to {followed}")
        say(f"contract  {known.chain.contract} {'' if founding.has_contract() else '(MISSING)'}")
        say(f"signer    {quoting.signer_public_key().hex()}")
        say(f"operator  {founding.operator.address} {founding.operator.stroops()} stroops")
        for row in ChannelAccount.objects.filter(network=known.chain.name).order_by("index"):
            state = conf.rail().channel_state(row.address)
            held = "missing" if state is None else f"{state.spendable} stroops"
            say(f"channel   {row.index} {row.address} {held} {row.problem}".rstrip())
        for step in founding.receivers(_paid()):
            say(f"payee     {step.words}{'' if step.done else f' (NOT YET: {step.advice})'}")


def _steps(what: str, count: int) -> Iterator[Step]:
    if what == "deploy":
        return conf.deploying().steps()
    return _setup(count) if what == "setup" else _channels(count)


def _setup(count: int) -> Iterator[Step]:
    founding = conf.founding()
    yield from founding.accounts(count)
    yield from founding.assets()
    yield from _channels(count)


def _channels(count: int) -> Iterator[Step]:
    """All that are wanted in one step: their money comes in one transaction."""
    rail = conf.rail()
    wanted = [rail.channel(index) for index in range(count)]
    rows = ChannelAccount.objects.filter(network=rail.network, usable=True)
    known = set(rows.values_list("address", flat=True))
    for channel in wanted:
        words = f"channel {channel.index} {channel.address} with money for fees"
        if channel.address in known and not channels.is_poor(channel):
            yield Step(words, done=True)
        else:
            yield Step(words, act=lambda: channels.ensure(count, now_s=time.time()))


def _paid() -> Iterator[tuple[str, str]]:
    """Who is paid in what, of all that is on sale."""
    on_sale = RouteQuote.objects.on_sale().filter(~Q(amount=0))
    payout = "route__service__provider__payout_address"
    yield from on_sale.values_list(payout, "asset").distinct().order_by(payout, "asset")
