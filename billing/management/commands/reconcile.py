import json
import time
from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError

from billing import noting
from billing.domain.discrepancies import State
from billing.domain.errors import NetworkUnavailable
from billing.models import Discrepancy


class Command(BaseCommand):
    help = "Compare chain, payments, purchases, grants and ledgers; exit 1 while anything is open."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object a line")
        parser.add_argument("--rows-only", action="store_true", help="do not read the chain anew")

    def handle(self, *, json: bool, rows_only: bool, **_options: object) -> None:
        now_s = time.time()
        noting.look_at_rows(now_s=now_s)
        if not rows_only:
            try:
                noting.look_at_chain(now_s=now_s)
            except NetworkUnavailable as problem:
                raise CommandError(f"The chain could not be read: {problem}") from problem
        found = Discrepancy.objects.filter(state=State.OPEN.value).order_by("pk")
        for row in found.iterator():
            self.stdout.write(_as_json(row) if json else _as_line(row))
        if found.exists():
            raise CommandError(f"Open discrepancies: {found.count()}.")
        self.stdout.write("" if json else "Nothing is open.", ending="" if json else "\n")


def _as_line(row: Discrepancy) -> str:
    return f"{row.finding} {row.subject} {row.reference} {row.detail}".replace("  ", " ").rstrip()


def _as_json(row: Discrepancy) -> str:
    names = ("finding", "subject", "reference", "detail", "state", "first_seen_at_s")
    return json.dumps({name: getattr(row, name) for name in names})
