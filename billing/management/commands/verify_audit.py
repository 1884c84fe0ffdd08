from django.core.management.base import BaseCommand, CommandError

from billing import auditing
from billing.domain.audit import Broken


class Command(BaseCommand):
    help = "Check the hash chain of the audit log from its first entry to its head."

    def handle(self, *_args: object, **_options: object) -> None:
        verdict = auditing.verify()
        if isinstance(verdict, Broken):
            raise CommandError(f"Broken at entry {verdict.number}: {verdict.reason}")
        self.stdout.write(f"Intact: {verdict.entries} entries, head {verdict.head}")
