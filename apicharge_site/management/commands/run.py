import signal
import ssl
import threading
import time
from argparse import ArgumentParser
from contextlib import closing

import httpx
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from apicharge_site.demo import seeding
from apicharge_site.demo.network import Network
from apicharge_site.preparing import prepare
from apicharge_site.surroundings import Surroundings, Unavailable, require_free, wait_for
from billing import channels
from marketplace import quoting

# Running exchanges get this long at Ctrl-C; a server behind a load balancer gets 30 s.
DRAIN_SECONDS = 3


class Command(BaseCommand):
    help = "Everything on this machine: sandbox network, database, server and workers. Stays."
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--without-demo", action="store_true", help="do not fill an empty catalogue"
        )

    def handle(self, *, without_demo: bool, **_options: object) -> None:
        if settings.PRODUCTION or settings.ROLE != "all":
            raise CommandError(
                "`run` is for one machine. In production start each role: docs/operations.md."
            )
        told_to_end = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: told_to_end.set())
        try:
            with Surroundings(settings.HOME, settings.BASE_DIR) as surroundings:
                self._start(surroundings, with_demo=not without_demo)
                self._say_where()
                told_to_end.wait()
                self.stdout.write("\nEnding …")
        except Unavailable as error:
            raise CommandError(str(error)) from error
        self.stdout.write("Ended.")

    def _start(self, surroundings: Surroundings, *, with_demo: bool) -> None:
        listener = surroundings.listen(settings.PORT, "PORT")
        h2_listener = surroundings.listen(settings.H2_PORT, "H2_PORT")
        prepare()
        if settings.CHAIN.is_sandbox:
            self._start_sandbox(surroundings)
        channels.ensure(now_s=time.time())
        if with_demo and seeding.is_wanted():
            seeding.seed(settings.HOME)
            self._open_payout_account()
        networks = list(settings.UPSTREAM_NETWORKS)
        if seeding.is_seeded():
            self._start_upstream(surroundings)
            networks.append(seeding.UPSTREAM_NETWORK)
        connections.close_all()
        number, h2_number = listener.fileno(), h2_listener.fileno()
        log = surroundings.start(
            "serve",
            *("manage", "serve", "--fd", str(number), "--h2-fd", str(h2_number)),
            *("--drain", str(DRAIN_SECONDS)),
            pass_fds=(number, h2_number),
            UPSTREAM_NETWORKS=",".join(networks),
        )
        ready, tls = f"{settings.SCHEME}://127.0.0.1:{settings.PORT}/readyz", _own_certificate()
        wait_for(
            "The server",
            lambda: httpx.get(ready, timeout=5, verify=tls).status_code == 200,
            log,
        )

    def _start_sandbox(self, surroundings: Surroundings) -> None:
        require_free(settings.SANDBOX_PORT, "SANDBOX_PORT")
        signer = quoting.signer_public_key().hex()
        log = surroundings.start(
            "sandbox",
            *("billing.sandbox", "--home", str(settings.HOME)),
            *("--port", str(settings.SANDBOX_PORT), "--signer", signer),
        )
        wait_for("The sandbox network", self._sandbox_answers, log)

    def _sandbox_answers(self) -> bool:
        call = {"jsonrpc": "2.0", "id": 1, "method": "getHealth"}
        return bool(httpx.post(settings.RPC_URL, json=call, timeout=5).json().get("result"))

    def _open_payout_account(self) -> None:
        """On a network whose money is real, the provider does this from a wallet."""
        if not settings.CHAIN.is_sandbox:
            return
        with closing(Network(settings.RPC_URL)) as network:
            for asset in settings.CHAIN.assets:
                network.fund(seeding.payout(settings.HOME).public_key, asset)

    def _start_upstream(self, surroundings: Surroundings) -> None:
        listener = surroundings.listen(0, "")
        port, number = listener.getsockname()[1], listener.fileno()
        surroundings.start(
            "files", "apicharge_site.demo.files_server", "--fd", str(number), pass_fds=(number,)
        )
        seeding.point(seeding.FILES, f"http://127.0.0.1:{port}")
        seeding.point(seeding.RPC, settings.RPC_URL)

    def _say_where(self) -> None:
        say = self.stdout.write
        say(f"\nApiCharge   {settings.ORIGIN}/")
        say(f"HTTP/2      127.0.0.1:{settings.H2_PORT}  (gRPC, too; {_how_to_speak_it()})")
        say(f"Admin       {settings.ORIGIN}/admin/")
        if seeding.is_seeded():
            for login in seeding.logins(settings.HOME):
                say(f"            {login.name:<9} password {login.password}")
        if settings.CHAIN.is_sandbox:
            say(f"Sandbox     {settings.RPC_URL}/  (JSON-RPC; GET /friendbot?addr=G…&asset=USDC)")
        say(f"State       {settings.HOME}  (logs in {settings.HOME / 'logs'})")
        say(
            "\nThis is the embedded mode: SQLite, workers as threads, one server. It is for one "
            "machine;\nfor several, see docs/operations.md. Ctrl-C ends everything.\n"
        )


def _how_to_speak_it() -> str:
    return "TLS" if settings.CERTIFICATE else "prior knowledge, without TLS"


def _own_certificate() -> ssl.SSLContext | bool:
    """Trust in it, whoever signed it, and whatever names it has."""
    if settings.CERTIFICATE is None:
        return True
    context = ssl.create_default_context(cafile=settings.CERTIFICATE.chain)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.check_hostname = False
    return context
