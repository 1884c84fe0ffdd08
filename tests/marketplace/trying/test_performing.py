import http.server
import threading
from collections.abc import Iterator

import pytest
from pytest_django.fixtures import Settings

from marketplace.domain.calling import Call
from marketplace.trying import performing
from marketplace.trying.performing import Failed, Outcome, perform


class Gate(http.server.BaseHTTPRequestHandler):
    asked: list[tuple[str, str, dict[str, str], bytes]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.asked.append((self.command, self.path, headers, body))
        self.send_response(302 if "moved" in self.path else 200)
        self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.end_headers()
        if "large" in self.path:
            for _ in range(40):
                self.wfile.write(b"x" * 10_000)
        else:
            self.wfile.write(b"\0\1" if "binary" in self.path else b"hello")

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def gate(settings: Settings) -> Iterator[None]:
    Gate.asked.clear()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Gate)
    settings.ORIGIN = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield
    server.shutdown()
    thread.join()
    server.server_close()


def get(target: str = "/a") -> Outcome | Failed:
    return perform("weather", Call("GET", target, (), None), "t~o.k")


@pytest.mark.usefixtures("gate")
def test_the_call_goes_through_the_gate_with_the_token() -> None:
    call = Call("POST", "/v1/a%20b?c=d", (("x-units", "metric"),), '{"é": 1}')
    outcome = perform("weather", call, "t~o.k")
    assert isinstance(outcome, Outcome)
    assert (outcome.status, outcome.text, outcome.is_cut) == (200, "hello", False)
    [(method, path, headers, body)] = Gate.asked
    assert (method, path, body) == ("POST", "/gate/weather/v1/a%20b?c=d", '{"é": 1}'.encode())
    assert (headers["apicharge"], headers["x-units"]) == ("t~o.k", "metric")
    assert "cookie" not in headers


@pytest.mark.usefixtures("gate")
def test_what_is_shown_is_bounded_and_nothing_is_followed() -> None:
    large = get("/large")
    assert isinstance(large, Outcome)
    assert (large.size, large.is_cut) == (performing.READ_BYTES_MAX, True)
    moved = get("/moved")
    assert isinstance(moved, Outcome)
    assert moved.status == 302
    binary = get("/binary")
    assert isinstance(binary, Outcome)
    assert binary.text.startswith("2 bytes of ")


def test_nobody_at_the_gate_is_told(settings: Settings, unused_tcp_port: int) -> None:
    settings.ORIGIN = f"http://127.0.0.1:{unused_tcp_port}"
    outcome = get()
    assert isinstance(outcome, Failed)
    assert "could not be made" in outcome.reason


@pytest.mark.usefixtures("gate")
def test_a_token_that_is_no_text_of_a_header_is_told() -> None:
    assert isinstance(perform("weather", Call("GET", "/a", (), None), "ü"), Failed)


@pytest.mark.usefixtures("gate")
def test_no_more_calls_at_once_than_there_is_room_for() -> None:
    for _ in range(performing.AT_ONCE):
        assert performing._room.acquire(blocking=False)
    try:
        assert isinstance(get(), Failed)
    finally:
        performing._room.release(performing.AT_ONCE)
    assert isinstance(get(), Outcome)
