import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path

import pytest

from tests.protocol.buyer_from_protocol import Buyer, Gateway, Json, account, http
from tests.servers import RunningServer, free_ports, start_server

PAYEE = account(bytes(Buyer(b"\x33" * 32).key.verify_key))
CALLS = {"kind": "calls", "count": 100}
IMPATIENT = """
from django.db import transaction
from marketplace.models import Service
from marketplace.publishing import publish
with transaction.atomic():
    slow = Service.objects.filter(slug="slow")
    slow.update(first_byte_ms=400)
    publish(slow.values_list("pk", flat=True))
"""


@dataclass
class Market:
    """A running server that sells, and what its upstream was asked."""

    server: RunningServer
    asked: list[str]
    released: threading.Event
    numbers: Iterator[int]

    @property
    def origin(self) -> str:
        return self.server.origin

    def url(self, path: str) -> str:
        return f"{self.origin}/gate/{path}"

    def buyer(self) -> Buyer:
        """Somebody new: nobody's daily allowance of free grants is touched twice."""
        return Buyer(bytes([next(self.numbers)]) * 32, self.server.rpc_url)

    def bought(self, route: str) -> tuple[Buyer, Gateway, Json]:
        buyer = self.buyer()
        gateway, quotes = buyer.meet(self.origin, route)
        return buyer, gateway, buyer.buy(gateway, quotes[0])

    def token(self, route: str, **claims: object) -> str:
        buyer, _, purchase = self.bought(route)
        return buyer.token(purchase["granted_access_token"], **claims)

    def fund(self, address: str) -> None:
        answer = http("GET", f"{self.server.rpc_url}/friendbot?addr={address}&asset=USDC")
        assert answer.status == 200, answer


def quote(amount: int = 0, access_seconds: int = 3600, *limits: Json) -> Json:
    return {
        "name": "Pass",
        "amount": amount,
        "asset": "USDC",
        "access_seconds": access_seconds,
        "limits": list(limits) or [CALLS],
    }


def route(slug: str, *quotes: Json, methods: list[str] | None = None) -> Json:
    return {"slug": slug, "path": f"/{slug}", "methods": methods or [], "quotes": list(quotes)}


def services(upstream: str, dead: str) -> list[Json]:
    renewing = {"kind": "calls", "count": 1, "window_seconds": 600}
    files = [
        route("paid", quote(2_500_000)),
        route("free", quote(), methods=["GET", "POST"]),
        route("two", quote(0, 3600, {"kind": "calls", "count": 2})),
        route("window", quote(0, 3600, renewing)),
        route("brief", quote(0, 1)),
    ]
    return [
        service("files", upstream, files),
        service("dead", dead, [route("all", quote())]),
        service("slow", upstream, [route("all", quote())]),
    ]


def service(slug: str, upstream: str, routes: list[Json]) -> Json:
    """By HEAD its root answers too, so that `sell` sees when the gate knows the service."""
    root = {"slug": "root", "path": "/", "methods": ["HEAD"], "quotes": []}
    return {"slug": slug, "upstream": upstream, "payee": PAYEE, "routes": [root, *routes]}


@pytest.fixture(scope="package")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    asked: list[str] = []
    released = threading.Event()

    class Upstream(BaseHTTPRequestHandler):
        def serve(self) -> None:
            asked.append(f"{self.command} {self.path}")
            if self.path.startswith("/all"):
                released.wait(10)  # Longer than the service's first_byte_ms.
            self.send_response(200)
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"hello")

        do_GET = do_POST = serve  # noqa: N815 - the names that http.server calls

        def log_message(self, *args: object) -> None:
            pass

    upstream = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    thread = threading.Thread(target=upstream.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    home: Path = tmp_path_factory.mktemp("market") / "home"
    try:
        with start_server(home) as server:
            market = Market(server, asked, released, count(64))
            market.fund(PAYEE)
            (dead,) = free_ports(1)
            url = f"http://127.0.0.1:{upstream.server_address[1]}"
            for each in services(url, f"http://127.0.0.1:{dead}"):
                server.sell(each)
            server.python(IMPATIENT)
            yield market
    finally:
        released.set()
        upstream.shutdown()
        upstream.server_close()
        thread.join()
