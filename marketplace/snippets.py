"""Lines to copy: the shortest way from a route's address to its first answer."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Snippet:
    key: str
    label: str
    note: str
    code: str


def snippets(address: str) -> list[Snippet]:
    return [_command_line(address), _python(address), _curl(address)]


def _command_line(address: str) -> Snippet:
    code = f"""\
apicharge quotes {address}
apicharge buy {address}
apicharge call {address}"""
    return Snippet("cli", "Command line", "Buys once, then reuses the grant.", code)


def _python(address: str) -> Snippet:
    code = f"""\
import httpx
from apicharge_client import Auth

with httpx.Client(auth=Auth(budget={{"USDC": "5"}})) as client:
    print(client.get("{address}").text)"""
    return Snippet("python", "Python", "Pays a 402 within the budget that you state.", code)


def _curl(address: str) -> Snippet:
    code = f"""\
# Without a grant: 402, with the quotes and what to do
curl -i {address}

# With one
curl -H "apicharge: $TOKEN" {address}"""
    return Snippet("curl", "curl", "Any HTTP client will do: the token is one header.", code)
