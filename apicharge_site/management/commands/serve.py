import socket
from argparse import ArgumentParser
from dataclasses import dataclass

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apicharge_site import serving
from apicharge_site.celery import app
from apicharge_site.embedded import start_workers
from apicharge_site.state import Certificate
from gateway import listening
from gateway.http2.negotiating import tls_context


@dataclass(frozen=True, slots=True)
class Where:
    host: str
    port: int
    h2_port: int
    fd: int | None
    h2_fd: int | None


class Command(BaseCommand):
    help = "Serve this role by uvicorn until SIGTERM; then drain for at most 30 s and exit 0."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=settings.PORT)
        parser.add_argument(
            "--h2-port", type=int, default=settings.H2_PORT, help="for HTTP/2 and gRPC"
        )
        parser.add_argument("--fd", type=int, help="a listening socket, instead of host and port")
        parser.add_argument("--h2-fd", type=int, help="beside --fd, one for HTTP/2")
        parser.add_argument("--drain", type=int, default=serving.DRAIN_SECONDS, metavar="SECONDS")

    def handle(self, *, drain: int, **options: object) -> None:
        where = Where(**{name: options[name] for name in Where.__slots__})  # type: ignore[arg-type]
        listeners = self._listeners(where)
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

    def _listeners(self, where: Where) -> serving.Listeners:
        if where.fd is not None:
            http1 = [_inherited(where.fd)]
            http2 = [] if where.h2_fd is None else [_inherited(where.h2_fd)]
        else:
            http1 = self._bind(where.host, where.port)
            http2 = self._bind(where.host, where.h2_port)
        return serving.Listeners(http1, http2, _certificate())

    def _bind(self, host: str, port: int) -> list[socket.socket]:
        try:
            return listening.sockets(host, port)
        except OSError as error:
            raise CommandError(f"Cannot listen on {host}:{port}: {error.strerror}.") from error


def _certificate() -> Certificate | None:
    given: Certificate | None = settings.CERTIFICATE
    if given is not None:
        try:
            tls_context(given.chain, given.key, [])
        except OSError as error:
            raise CommandError(f"APICHARGE_TLS_CERT, APICHARGE_TLS_KEY: {error}.") from error
    return given


def _inherited(fd: int) -> socket.socket:
    """Whoever bound it need not know what our connections must have."""
    inherited = socket.socket(fileno=fd)
    listening.limit_unsent(inherited)
    return inherited
