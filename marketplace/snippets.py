"""Lines to copy: from a route's address to its first answer, and a call in each language."""

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

ENVIRONMENT = "APICHARGE_TOKEN"
CHAT = "/chat/completions"
"""What a service that speaks OpenAI's protocol answers at."""


@dataclass(frozen=True, slots=True)
class Snippet:
    key: str
    label: str
    note: str
    code: str


@dataclass(frozen=True, slots=True)
class Example:
    """A call that the route answers, and a budget that one of its plans fits."""

    address: str
    method: str
    budget: str

    @classmethod
    def of(cls, address: str, methods: Sequence[str], budget: str) -> "Example":
        """The simplest method that is sold."""
        return cls(address, "GET" if not methods or "GET" in methods else methods[0], budget)


@dataclass(frozen=True, slots=True)
class Request:
    """A call as it is made. Without a token the reader's environment has it."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    body: str | None = None
    token: str = ""


def snippets(example: Example) -> list[Snippet]:
    """For somebody who has nothing yet, and for somebody who has a token."""
    body = None if example.method == "GET" else "{}"
    headers = () if body is None else (("content-type", "application/json"),)
    request = Request(example.method, example.address, headers, body)
    return [_command_line(example), _client(example), *calls(request)]


def calls(request: Request) -> list[Snippet]:
    """The same call in each language."""
    found = [_curl(request), _python(request), _javascript(request), _go(request)]
    path = request.url.partition("?")[0]
    return [*found, _openai(request)] if path.endswith(CHAT) else found


def _command_line(example: Example) -> Snippet:
    body = "" if example.method == "GET" else f" -X {example.method} -d '{{}}'"
    code = f"""\
export APICHARGE_KEY_FILE=~/.apicharge-key   # made by: apicharge keygen ~/.apicharge-key

apicharge quotes {example.address}
apicharge buy {example.address} --budget {example.budget}
apicharge call {example.address}{body}
export {ENVIRONMENT}=$(apicharge token {example.address} --seconds 3600)"""
    return Snippet("cli", "Command line", "Buys once, then uses what it holds.", code)


def _client(example: Example) -> Snippet:
    body = "" if example.method == "GET" else ", json={}"
    code = f"""\
import os, httpx
from apicharge_client import (
    ApiChargeAuth, Budget, Buyer, Store, default_home, key_from_environment,
)

buyer = Buyer(
    store=Store(default_home(os.environ)),
    key=key_from_environment(os.environ),
    budget=Budget.of("{example.budget}"),
)
with httpx.Client(auth=ApiChargeAuth(buyer)) as client:
    print(client.request("{example.method}", "{example.address}"{body}).text)"""
    note = "For agents: pays a 402 within the budget, once, and calls again."
    return Snippet("agent", "Python, paying", note, code)


def _curl(request: Request) -> Snippet:
    token = f"'apicharge: {request.token}'" if request.token else f'"apicharge: ${ENVIRONMENT}"'
    method = "" if request.method == "GET" else f" -X {request.method}"
    if request.method == "HEAD":
        method = " --head"
    lines = [f"curl -sS{method} {shlex.quote(request.url)}", f"-H {token}"]
    lines += [f"-H {shlex.quote(f'{name}: {value}')}" for name, value in request.headers]
    if request.body is not None:
        lines.append(f"--data-raw {shlex.quote(request.body)}")
    return Snippet("curl", "curl", "Any HTTP client will do.", " \\\n  ".join(lines))


def _python(request: Request) -> Snippet:
    token = _quoted(request.token) if request.token else f'os.environ["{ENVIRONMENT}"]'
    imports = "import httpx" if request.token else "import os, httpx"
    headers = [f'"apicharge": {token}']
    headers += [f"{_quoted(name)}: {_quoted(value)}" for name, value in request.headers]
    body = [] if request.body is None else [f"content={_quoted(request.body)}.encode(),"]
    lines = [f'"{request.method}",', f"{_quoted(request.url)},"]
    lines += ["headers={", *(f"    {line}," for line in headers), "},", *body]
    call = "\n".join(f"    {line}" for line in lines)
    code = f"""\
{imports}

answer = httpx.request(
{call}
)
answer.raise_for_status()
print(answer.text)"""
    return Snippet("python", "Python", "With httpx. A 402 says that the grant has ended.", code)


def _javascript(request: Request) -> Snippet:
    token = _quoted(request.token) if request.token else f"process.env.{ENVIRONMENT}"
    headers = [f"    apicharge: {token},"]
    headers += [f"    {_quoted(name)}: {_quoted(value)}," for name, value in request.headers]
    body = [] if request.body is None else [f"  body: {_quoted(request.body)},"]
    lines = "\n".join(
        [f'  method: "{request.method}",', "  headers: {", *headers, "  },", *body],
    )
    code = f"""\
const answer = await fetch({_quoted(request.url)}, {{
{lines}
}});
if (!answer.ok) throw new Error(`${{answer.status}} ${{await answer.text()}}`);
for await (const chunk of answer.body.pipeThrough(new TextDecoderStream())) console.log(chunk);"""
    return Snippet("javascript", "JavaScript", "A module, for Node and others. Streams.", code)


def _go(request: Request) -> Snippet:
    token = _quoted(request.token) if request.token else f'os.Getenv("{ENVIRONMENT}")'
    body = "nil" if request.body is None else f"strings.NewReader({_quoted(request.body)})"
    imports = ["fmt", "io", "net/http", "os"] + ([] if request.body is None else ["strings"])
    named = "\n".join(f'\t"{each}"' for each in imports)
    headers = "\n".join(
        f"\trequest.Header.Set({_quoted(name)}, {value})"
        for name, value in [
            ("apicharge", token),
            *((name, _quoted(value)) for name, value in request.headers),
        ]
    )
    code = f"""\
package main

import (
{named}
)

func main() {{
	request, err := http.NewRequest("{request.method}", {_quoted(request.url)}, {body})
	if err != nil {{
		panic(err)
	}}
{headers}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {{
		panic(err)
	}}
	defer answer.Body.Close()
	fmt.Println(answer.Status)
	if _, err := io.Copy(os.Stdout, answer.Body); err != nil {{
		panic(err)
	}}
}}"""
    return Snippet("go", "Go", "The standard library is enough.", code)


def _openai(request: Request) -> Snippet:
    token = _quoted(request.token) if request.token else f'os.environ["{ENVIRONMENT}"]'
    imports = "" if request.token else "import os\n\n"
    base = request.url.partition("?")[0].removesuffix(CHAT)
    model = _model(request.body)
    code = f"""\
{imports}from openai import OpenAI

client = OpenAI(base_url={_quoted(base)}, api_key={token})
stream = client.chat.completions.create(
    model={_quoted(model)},
    messages=[{{"role": "user", "content": "Say hello."}}],
    stream=True,
)
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="")"""
    return Snippet("openai", "OpenAI SDK", "The token is the API key.", code)


def _model(body: str | None) -> str:
    try:
        named = json.loads(body or "{}")
    except ValueError:
        named = {}
    model = named.get("model") if isinstance(named, dict) else None
    return model if isinstance(model, str) else "default"


def _quoted(text: str) -> str:
    """A literal of Python, JavaScript and Go alike."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
