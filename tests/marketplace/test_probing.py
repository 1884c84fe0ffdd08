import asyncio
import http.server
import threading
import time
from collections.abc import Iterator
from http import HTTPStatus
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from gateway.addresses import Policy
from marketplace import probing
from marketplace.probing import Answered, Failed
from tests.certificates import Authority, server_context
from tests.gateway.http2.serving import serving
from tests.promptness import within

LOOPBACK = Policy.of(["127.0.0.0/8"])


class Upstream(http.server.BaseHTTPRequestHandler):
    asked: list[tuple[str, str]] = []

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers["Host"]))
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path == "/large":
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.end_headers()
            for _ in range(100):
                self.wfile.write(b"x" * 1000)
        elif self.path == "/silent":
            time.sleep(1)
        else:
            self.send_response(200)
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"hello")

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def upstream() -> Iterator[int]:
    Upstream.asked.clear()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def socket() -> Iterator[int]:
    def talk(peer: ServerConnection) -> None:
        peer.recv()

    def ask(peer: ServerConnection, request: Request) -> Response | None:
        return None if request.path == "/any" else peer.respond(HTTPStatus.FORBIDDEN, "not you")

    with serve(talk, "127.0.0.1", 0, process_request=ask) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.socket.getsockname()[1]
        server.shutdown()
        thread.join()


def test_websocket_is_opened_as_the_gate_does(socket: int) -> None:
    answer = probing.probe(f"ws://127.0.0.1:{socket}/any", LOOPBACK)
    assert isinstance(answer, Answered)
    assert (answer.status, answer.reason) == (101, "Switching Protocols")
    assert answer.address == "127.0.0.1"


def test_websocket_that_is_none_is_told_with_what_it_said(
    socket: int, unused_tcp_port: int
) -> None:
    answer = probing.probe(f"ws://127.0.0.1:{socket}", LOOPBACK)
    assert isinstance(answer, Answered)
    assert (answer.status, answer.reason, answer.beginning) == (403, "Forbidden", "not you")
    assert answer.content_type == "text/plain; charset=utf-8"
    nobody = probing.probe(f"ws://127.0.0.1:{unused_tcp_port}/", LOOPBACK)
    assert isinstance(nobody, Failed)
    assert nobody.reason.endswith("Does your API run there?")
    private = probing.probe(f"ws://127.0.0.1:{unused_tcp_port}/", Policy.of([]))
    assert isinstance(private, Failed)


def test_answer_is_told_with_its_first_bytes(upstream: int) -> None:
    answer = probing.probe(f"http://localhost:{upstream}/", Policy.of(["127.0.0.0/8", "::1/128"]))
    if isinstance(answer, Failed):  # localhost is ::1 first on this machine; nobody listens there.
        answer = probing.probe(f"http://127.0.0.1:{upstream}/", LOOPBACK)
    assert isinstance(answer, Answered)
    assert (answer.status, answer.beginning) == (200, "hello")
    assert Upstream.asked[0][1].endswith(f":{upstream}")


def test_connection_goes_to_the_address_that_was_checked(
    upstream: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is not asked for again: by then it could say something else."""
    checked = [ip_address("127.0.0.1")]
    monkeypatch.setattr(probing, "check_upstream", lambda *_: checked)
    answer = probing.probe(f"http://name.invalid:{upstream}/", LOOPBACK)
    assert isinstance(answer, Answered)
    assert (answer.address, Upstream.asked) == ("127.0.0.1", [("/", f"name.invalid:{upstream}")])


def test_redirect_is_shown_and_not_followed(upstream: int) -> None:
    answer = probing.probe(f"http://127.0.0.1:{upstream}/moved", LOOPBACK)
    assert isinstance(answer, Answered)
    assert answer.status == 302
    assert [path for path, _ in Upstream.asked] == ["/moved"]


def test_large_answer_is_read_as_far_as_it_is_shown(upstream: int) -> None:
    answer = probing.probe(f"http://127.0.0.1:{upstream}/large", LOOPBACK)
    assert isinstance(answer, Answered)
    assert answer.beginning == "x" * probing.SHOWN_BYTES


def test_silence_ends_with_the_deadline(upstream: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "PROBE_SECONDS", 0.2)
    started = time.monotonic()
    assert isinstance(probing.probe(f"http://127.0.0.1:{upstream}/silent", LOOPBACK), Failed)
    assert time.monotonic() - started < within(0.9)


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data",
        "http://[fd00::1]/",
        "http://2130706433/",
        "file:///etc/passwd",
        "http://",
        "x",
    ],
)
def test_address_that_is_not_allowed_is_not_connected_to(url: str) -> None:
    assert isinstance(probing.probe(url, Policy.of([])), Failed)


def test_nobody_listening_is_said(unused_tcp_port: int) -> None:
    answer = probing.probe(f"http://127.0.0.1:{unused_tcp_port}/", LOOPBACK)
    assert isinstance(answer, Failed)
    assert "Connect" in answer.reason
    assert answer.reason.endswith("Does your API run there?")


def test_upstream_of_an_own_authority_that_asks_for_a_certificate(tmp_path: Path) -> None:
    authority = Authority()
    shown = authority.sign("gate.example")
    context = server_context(authority.sign("127.0.0.1"), tmp_path, clients=authority)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"https://127.0.0.1:{server.server_port}/"
    try:
        right = probing.Shown(authority.pem, shown.certificate, shown.key)
        known = probing.probe(url, LOOPBACK, right)
        wrong = probing.probe(url, LOOPBACK, probing.Shown(Authority().pem))
        broken = probing.probe(url, LOOPBACK, probing.Shown(key="x", certificate="x"))
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert isinstance(known, Answered)
    assert isinstance(wrong, Failed)
    assert "certificate verify failed" in wrong.reason
    assert isinstance(broken, Failed)
    assert shown.key not in repr(right)


async def _calm(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


@pytest.mark.parametrize("scheme", ["h2c", "grpc"])
async def test_upstream_of_http2_is_asked_by_http2(scheme: str) -> None:
    async with serving(_calm) as (_, port):
        url = f"{scheme}://127.0.0.1:{port}/"
        answer = await asyncio.to_thread(probing.probe, url, LOOPBACK)
    assert isinstance(answer, Answered)
    assert (answer.status, answer.beginning) == (200, "hello")
