"""Lines to copy: the shortest way from a route's address to its first answer."""

from collections.abc import Sequence
from dataclasses import dataclass


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


def snippets(example: Example) -> list[Snippet]:
    return [_command_line(example), _python(example), _curl(example)]


def _command_line(example: Example) -> Snippet:
    body = "" if example.method == "GET" else f" -X {example.method} -d '{{}}'"
    code = f"""\
export APICHARGE_KEY_FILE=~/.apicharge-key   # made by: apicharge keygen ~/.apicharge-key

apicharge quotes {example.address}
apicharge buy {example.address} --budget {example.budget}
apicharge call {example.address}{body}"""
    return Snippet("cli", "Command line", "Buys once, then uses what it holds.", code)


def _python(example: Example) -> Snippet:
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
    return Snippet("python", "Python", "Pays a 402 within the budget, once, and calls again.", code)


def _curl(example: Example) -> Snippet:
    body = "" if example.method == "GET" else f"-X {example.method} -d '{{}}' "
    code = f"""\
# Without a grant: 402, the quotes, and what to do next
curl -i {body}{example.address}

# With one: the token is a header
TOKEN=$(apicharge token {example.address} --seconds 60)
curl -H "apicharge: $TOKEN" {body}{example.address}"""
    return Snippet("curl", "curl", "Any HTTP client will do.", code)
