import ast
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import apicharge_client
import pytest
from apicharge_client.arguments import parser
from apicharge_client.money import Budget

from marketplace.snippets import Example, Request, Snippet, calls, snippets

ADDRESS = "http://127.0.0.1:8000/gate/weather/forecast"
TRICKY = '{"say": "it\'s \\"so\\" $HOME `id` \\\\ é 🌦"}'
TOKEN = "granted~signed"


@pytest.mark.parametrize(
    ("methods", "method"), [([], "GET"), (["HEAD", "GET"], "GET"), (["POST"], "POST")]
)
def test_example_calls_with_a_method_that_is_sold(methods: list[str], method: str) -> None:
    assert Example.of(ADDRESS, methods, "USDC:1").method == method


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_paying_snippet_is_python_and_names_what_the_client_has(method: str) -> None:
    code = snippets(Example(ADDRESS, method, "USDC:2.50"))[1].code
    [imported] = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.ImportFrom)]
    for name in imported.names:
        assert hasattr(apicharge_client, name.name)
    assert Budget.of("USDC:2.50").left("USDC") == 25_000_000


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_command_line_snippet_is_what_the_command_takes(method: str) -> None:
    code = snippets(Example(ADDRESS, method, "USDC:2.50"))[0].code
    code = code.replace("export APICHARGE_TOKEN=$(", "").replace("3600)", "3600")
    commands = [line for line in code.splitlines() if line.startswith("apicharge ")]
    assert len(commands) == 4
    for command in commands:
        words = [word.strip("'") for word in command.split()]
        parser().parse_args(words[1:])


class Upstream(http.server.BaseHTTPRequestHandler):
    asked: list[tuple[str, str, str | None, str | None, str]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        token = self.headers["apicharge"] or self.headers["authorization"]
        self.asked.append((self.command, self.path, token, self.headers["x-units"], body))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        if self.path.endswith("/chat/completions"):
            delta = {"choices": [{"index": 0, "delta": {"content": "answered"}}]}
            self.wfile.write(f"data: {json.dumps(delta)}\n\ndata: [DONE]\n\n".encode())
        else:
            self.wfile.write(b"answered")

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def run(snippet: Snippet, place: Path, **environment: str) -> str:
    """What it prints."""
    file = place / {"javascript": "call.mjs", "go": "call.go"}.get(snippet.key, "call")
    file.write_text(snippet.code)
    command = {
        "curl": ["bash", str(file)],
        "javascript": ["node", str(file)],
        "go": ["go", "run", str(file)],
    }.get(snippet.key, [sys.executable, "-W", "ignore", str(file)])
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not on this machine")
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    done = subprocess.run(
        command,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def snippet_of(key: str, request: Request) -> Snippet:
    return next(each for each in calls(request) if each.key == key)


LANGUAGES = ["curl", "python", "javascript", pytest.param("go", marks=pytest.mark.soak)]


@pytest.mark.parametrize("key", LANGUAGES)
def test_a_call_with_a_body_runs_as_it_is_printed(key: str, upstream: str, tmp_path: Path) -> None:
    headers = (("x-units", "me'tr\"ic$"), ("content-type", "application/json"))
    url = f"{upstream}/v1/a%20b?c=d&e='"
    Upstream.asked.clear()
    assert "answered" in run(
        snippet_of(key, Request("POST", url, headers, TRICKY, TOKEN)), tmp_path
    )
    [(method, path, token, units, body)] = Upstream.asked
    assert (method, token, units, body) == ("POST", TOKEN, "me'tr\"ic$", TRICKY)
    assert path.replace("%27", "'") == "/v1/a%20b?c=d&e='"


@pytest.mark.parametrize("key", LANGUAGES)
def test_without_a_token_the_environment_has_it(key: str, upstream: str, tmp_path: Path) -> None:
    Upstream.asked.clear()
    snippet = snippet_of(key, Request("GET", f"{upstream}/v1/a"))
    assert "answered" in run(snippet, tmp_path, APICHARGE_TOKEN=TOKEN)
    assert Upstream.asked == [("GET", "/v1/a", TOKEN, None, "")]


def test_chat_is_spoken_with_openais_own_client(upstream: str, tmp_path: Path) -> None:
    request = Request("POST", f"{upstream}/v1/chat/completions", (), '{"model": "m7"}', TOKEN)
    Upstream.asked.clear()
    assert run(snippet_of("openai", request), tmp_path).strip() == "answered"
    [(method, path, token, _, body)] = Upstream.asked
    assert (method, path, token) == ("POST", "/v1/chat/completions", f"Bearer {TOKEN}")
    assert json.loads(body)["model"] == "m7"
    assert "openai" not in [each.key for each in calls(Request("GET", f"{upstream}/v1/a"))]


@pytest.mark.parametrize("body", [None, TRICKY])
def test_go_snippet_is_go(body: str | None) -> None:
    if shutil.which("gofmt") is None:
        pytest.skip("gofmt is not on this machine")
    snippet = snippet_of("go", Request("POST", ADDRESS, (("a", "b"),), body))
    done = subprocess.run(
        ["gofmt", "-e", "-l"], input=f"{snippet.code}\n".encode(), capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
