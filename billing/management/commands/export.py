from argparse import ArgumentParser
from datetime import UTC, datetime

from django.core.management.base import BaseCommand

from billing.domain.sheets import Format
from billing.exporting import BOOKS, Wanted, chunks


class Command(BaseCommand):
    help = "Write a book to standard output: payments, grants, refunds or the audit log."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("book", choices=sorted(BOOKS))
        parser.add_argument("--format", type=Format, choices=list(Format), default=Format.CSV)
        parser.add_argument("--since", type=moment_s, help="2026-11-21 or 2026-11-21T08:00 (UTC)")
        parser.add_argument("--until", type=moment_s, help="as --since; not included")

    def handle(
        self,
        *,
        book: str,
        format: Format,  # noqa: A002 - the option's name
        since: int | None,
        until: int | None,
        **_options: object,
    ) -> None:
        for chunk in chunks(Wanted(BOOKS[book], format, since, until)):
            self.stdout.write(chunk, ending="")


def moment_s(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())
