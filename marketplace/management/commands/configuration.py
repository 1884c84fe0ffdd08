import getpass
import json
import sys
from argparse import ArgumentParser
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from marketplace import configuring
from marketplace.models import Provider


class Command(BaseCommand):
    help = "The whole configuration of a provider: export it, plan a change, apply it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("act", choices=["export", "plan", "apply"])
        parser.add_argument("provider", help="its slug")
        parser.add_argument("file", nargs="?", default="-", help="- is standard input")
        parser.add_argument("--reason", default="", help="kept with it")

    def handle(
        self, *, act: str, provider: str, file: str, reason: str, **_options: object
    ) -> None:
        found = Provider.objects.filter(slug=provider).first()
        if found is None:
            raise CommandError(f"There is no provider {provider}.")
        if act == "export":
            document = configuring.export(found)
            self.stdout.write(json.dumps(document, indent=2, ensure_ascii=False))
            return
        text = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        try:
            plan = configuring.plan(found, configuring.read(text))
            for change in plan.changes:
                self.stdout.write(str(change))
            if not plan.changes:
                self.stdout.write("This changes nothing.")
            elif act == "apply":
                kept = configuring.apply(
                    plan, actor=getpass.getuser(), reason=reason, now=timezone.now()
                )
                self.stdout.write(f"Applied as number {kept.number}.")
        except configuring.Refused as exc:
            raise CommandError("\n".join(["Nothing was changed.", *exc.problems])) from exc
