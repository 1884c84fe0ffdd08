"""`manage.py sandbox`: the Stellar network in a box, as this project's settings want it."""

import argparse
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from billing.sandbox import serving
from billing.sandbox.storage import InUseError
from marketplace import quoting


class Command(BaseCommand):
    help = "Run a Stellar network in a box on 127.0.0.1, for development and tests."
    requires_system_checks = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=settings.SANDBOX_PORT)
        serving.add_arguments(parser)

    def handle(self, *, port: int, signer: list[bytes], **options: Any) -> None:  # noqa: ANN401 - as argparse gives them
        if settings.PRODUCTION:
            raise CommandError(serving.REFUSAL)
        options["signer"] = signer or own_signer()
        try:
            serving.run(home=settings.HOME, port=port, wanted=serving.Wanted.of(options))
        except (InUseError, OSError) as problem:
            raise CommandError(str(problem)) from problem


def own_signer() -> list[bytes]:
    """The key that signs this installation's quotes, where this process may have it."""
    try:
        return [quoting.signer_public_key()]
    except quoting.NoQuoteKey:
        return []
