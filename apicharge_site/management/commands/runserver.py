"""`manage.py runserver`, for development: daphne with reload, static files by WhiteNoise.

As a command of our own, and not the one of the app `daphne`: that app imports Twisted into every
process, and only this one uses it.
"""

from daphne.management.commands.runserver import Command as DaphneCommand
from django.core.management.base import CommandParser


class Command(DaphneCommand):  # type: ignore[misc]  # It comes without types.
    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(use_static_handler=False)
