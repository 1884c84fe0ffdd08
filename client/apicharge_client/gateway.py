"""Asking a gateway: its addresses, its answers, its problems."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from apicharge_client.documents import Document
from apicharge_client.errors import BadDocument, ServerProblem
from apicharge_client.steps import Steps, ask

WAIT_SECONDS = 20  # Of the 30 that a gateway grants at most.
TIMEOUT = {"connect": 10.0, "read": WAIT_SECONDS + 20.0, "write": 20.0, "pool": 60.0}
PORTS = {"http": 80, "https": 443}
RPC_TIMEOUT = {"connect": 10.0, "read": 20.0, "write": 20.0, "pool": 60.0}


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a 402 says: which route this is, and whose it is."""

    route: str
    gateway: str


def origin_of(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        httpx.URL(url)
    except (ValueError, httpx.InvalidURL):
        host, port = "", None
    if not host or parts.scheme not in PORTS:
        raise BadDocument(f"{url[:200]!r} is not an http(s) address")
    name = f"[{host}]" if ":" in host else host
    shown = "" if port in {None, PORTS[parts.scheme]} else f":{port}"
    return f"{parts.scheme}://{name}{shown}"


def api(gateway: str, path: str) -> str:
    return f"{gateway}/apicharge/v1/{path}"


def get(url: str, headers: Mapping[str, str] | None = None) -> Steps[httpx.Response]:
    return ask(httpx.Request("GET", url, headers=headers, extensions={"timeout": TIMEOUT}))


def post(
    url: str, body: Mapping[str, object], headers: Mapping[str, str] | None = None
) -> Steps[httpx.Response]:
    extensions = {"timeout": TIMEOUT}
    return ask(httpx.Request("POST", url, json=body, headers=headers, extensions=extensions))


def read(response: httpx.Response, what: str) -> Document:
    if not response.is_success:
        raise problem(response)
    return Document.parse(response.content, what)


def problem(response: httpx.Response) -> ServerProblem:
    """The RFC 9457 document as an exception, or as much as there is of one."""
    status = response.status_code
    url = str(response.request.url)
    try:
        document = Document.parse(response.content, "problem")
        detail = document.optional_text("detail") or document.optional_text("title")
        problem_type = document.optional_text("type") or "about:blank"
    except BadDocument:
        detail, problem_type = None, "about:blank"
    message = f"{url} answered {status}: {detail or response.reason_phrase}"
    return ServerProblem(status, problem_type, message, _hint(status, response))


def _hint(status: int, response: httpx.Response) -> str:
    if after := response.headers.get("retry-after"):
        return f"Try again in {after} s."
    if status >= 500:
        return "Try again: what was signed is kept and never signed twice."
    return ""


def challenge(response: httpx.Response) -> Challenge:
    """Which route a 402 is about: from its link to the quotes, which every form of it carries."""
    link = response.links.get("payment", {}).get("url", "")
    if link:
        gateway = origin_of(link)
        if route := httpx.URL(link).params.get("route"):
            return Challenge(route, gateway)
    document = Document.parse(response.content, "The 402")
    return Challenge(document.text("route"), origin_of(document.object("purchase").text("url")))


def quotes(gateway: str, route: str = "") -> Steps[Document]:
    query = f"?{httpx.QueryParams({'route': route})}" if route else ""
    response = yield from get(api(gateway, f"quotes{query}"))
    document = read(response, "The quote document")
    issuer = document.text("issuer")
    if origin_of(issuer) != gateway:
        raise BadDocument(
            f"{gateway} speaks for {issuer}", f"Use {issuer} itself if that is the gateway."
        )
    return document


def latest_ledger(rpc_url: str) -> Steps[int]:
    """From a network node that the user trusts."""
    return (yield from _node(rpc_url, "getLatestLedger")).integer("sequence")


def events_of(rpc_url: str, transaction: str) -> Steps[list[str] | None]:
    """The XDR of a successful transaction's events; None when the node knows none such."""
    told = yield from _node(rpc_url, "getTransaction", hash=transaction)
    if told.text("status") != "SUCCESS":
        return None
    operations = told.object("events").members.get("contractEventsXdr")
    if not isinstance(operations, list):
        raise told.wrong("contractEventsXdr", "a list")
    listed = [operation for operation in operations if isinstance(operation, list)]
    return [str(event) for operation in listed for event in operation]


def _node(rpc_url: str, method: str, **params: str) -> Steps[Document]:
    body = {"jsonrpc": "2.0", "id": 1, "method": method} | ({"params": params} if params else {})
    request = httpx.Request("POST", rpc_url, json=body, extensions={"timeout": RPC_TIMEOUT})
    response = yield from ask(request)
    return read(response, "The node's answer").object("result")


def error_of(response: httpx.Response) -> str:
    """The `error` of an ApiCharge challenge, or nothing."""
    for challenge_text in response.headers.get_list("www-authenticate"):
        scheme, _, parameters = challenge_text.strip().partition(" ")
        if scheme.lower() == "apicharge" and 'error="' in parameters:
            return str(parameters.partition('error="')[2].partition('"')[0])
    return ""
