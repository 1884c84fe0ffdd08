import http.server
import threading
from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from gateway.addresses import Policy
from marketplace import fetching
from marketplace.fetching import Unfetched, fetch

LOOPBACK = Policy.of(["127.0.0.0/8"])


class Files(http.server.BaseHTTPRequestHandler):
    asked: list[tuple[str, str]] = []

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers["Host"]))
        self.send_response({"/moved": 302, "/gone": 404}.get(self.path, 200))
        if self.path == "/moved":
            self.send_header("Location", "/elsewhere")
        if self.path == "/squeezed":
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        for _ in range(100 if self.path == "/large" else 1):
            self.wfile.write(b"openapi: 3.1.0\n")

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def files() -> Iterator[int]:
    Files.asked.clear()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_file_is_read_from_the_address_that_was_checked(
    files: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is not asked for again: by then it could say something else."""
    monkeypatch.setattr(fetching, "check_upstream", lambda *_: [ip_address("127.0.0.1")])
    read = fetch(f"http://name.invalid:{files}/openapi.yaml", LOOPBACK, 100)
    assert read == b"openapi: 3.1.0\n"
    assert Files.asked == [("/openapi.yaml", f"name.invalid:{files}")]


@pytest.mark.parametrize(
    ("path", "why"),
    [("/moved", "302"), ("/gone", "404"), ("/squeezed", "compressed"), ("/large", "larger")],
)
def test_what_is_no_small_file_is_refused(files: int, path: str, why: str) -> None:
    with pytest.raises(Unfetched, match=why):
        fetch(f"http://127.0.0.1:{files}{path}", LOOPBACK, 100)
    assert [asked for asked, _ in Files.asked] == [path]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/x",
        "http://2130706433/x",
        "http://[::ffff:127.0.0.1]/x",
        "http://169.254.169.254/x",
        "file:///etc/passwd",
        "ws://8.8.8.8/x",
        "http://user:word@8.8.8.8/x",
        "nothing",
    ],
)
def test_only_public_http_addresses_are_asked(url: str) -> None:
    with pytest.raises(Unfetched):
        fetch(url, Policy.of([]), 100)


def test_nobody_there_is_told(unused_tcp_port: int) -> None:
    with pytest.raises(Unfetched, match="could not be read"):
        fetch(f"http://127.0.0.1:{unused_tcp_port}/x", LOOPBACK, 100)
