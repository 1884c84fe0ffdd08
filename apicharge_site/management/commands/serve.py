import socket
from argparse import ArgumentParser

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apicharge_site import serving
from apicharge_site.celery import app
from apicharge_site.embedded import start_workers
from gateway import listening


class Command(BaseCommand):
    help = "Serve this role by uvicorn until SIGTERM; then drain for at most 30 s and exit 0."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=settings.PORT)
        parser.add_argument("--fd", type=int, help="a listening socket, instead of host and port")
        parser.add_argument("--drain", type=int, default=serving.DRAIN_SECONDS, metavar="SECONDS")

    def handle(
        self, *, host: str, port: int, fd: int | None, drain: int, **_options: object
    ) -> None:
        listeners = self._bind(host, port) if fd is None else [_inherited(fd)]
        # Without a broker this process is the whole of the embedded default: it works, too.
        embedded = settings.ROLE == "all" and not settings.REDIS_URL
        stop_workers = start_workers(app, settings.HOME / "beat") if embedded else None
        try:
            started = serving.serve(listeners, drain_seconds=drain)
        finally:
            if stop_workers is not None:
                stop_workers()
        if not started:
            raise CommandError("The server did not start; what it logged says why.")

    def _bind(self, host: str, port: int) -> list[socket.socket]:
        try:
            return listening.sockets(host, port)
        except OSError as error:
            raise CommandError(f"Cannot listen on {host}:{port}: {error.strerror}.") from error


def _inherited(fd: int) -> socket.socket:
    """Whoever bound it need not know what our connections must have."""
    inherited = socket.socket(fileno=fd)
    listening.limit_unsent(inherited)
    return inherited
