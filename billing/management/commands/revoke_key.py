import time
from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError

from billing import keys


class Command(BaseCommand):
    help = "Emergency: end every grant that a signing key (kid) signed, on every gate, for good."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("kid")
        parser.add_argument("--yes", action="store_true", help="do it, and do not only count")

    def handle(self, *, kid: str, yes: bool, **_options: object) -> None:
        now_s = time.time()
        ended = keys.ended_by(kid, now_s=now_s)
        if not yes:
            raise CommandError(f"This would end {ended} running grants. Say --yes to do it.")
        try:
            news = keys.revoke(kid, actor="manage.py", now_s=now_s)
        except keys.UnknownKey as problem:
            raise CommandError(str(problem)) from problem
        self.stdout.write(
            f"Revoked; {ended} running grants end. Configure a new grant key and restart consoles "
            "and workers."
            if news
            else "It was revoked before."
        )
