"""What a refused caller gets: a problem it can read, and with a 402 the way to pay.

Everything comes from the snapshot, so that any number of unpaid calls costs no I/O. Two things do
not, and come through ports: a purchase page for a browser, and for a caller that names its buyer
account a purchase instruction that is ready to sign.
"""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from urllib.parse import parse_qs, quote

from gateway.asgi import Headers, Reply, Scope
from gateway.conf import GateConfig, Ports
from gateway.domain.answers import CORS, SANDBOX, preflight
from gateway.domain.errors import ROUTE_NOT_FOUND, Refusal, problem_document
from gateway.domain.grpc import CONTENT_TYPE, ending
from gateway.domain.headers import header
from gateway.domain.negotiation import preferred
from gateway.domain.routes import Offer, Route, RouteTable
from gateway.grpc import is_call

ASKED_BYTES_MAX = 2048
"""Of an address that a browser is led back to; the page has it once a price."""
DECIMALS = 7
REPLIES_KEPT = 4096
JSON, HTML, MARKDOWN = "application/problem+json", "text/html", "text/markdown"
OFFERED = (JSON, "application/json", HTML, MARKDOWN)
BUYER = re.compile(r"G[A-Z2-7]{55}").fullmatch
FRONT = frozenset({"/", "/reference", "/reference/"})
"""Where a service's own host shows pages; whatever a route sells there comes first."""
NOSNIFF = (b"x-content-type-options", b"nosniff")
NO_STORE = (b"cache-control", b"no-store")


class Challenge:
    def __init__(self, config: GateConfig, ports: Ports) -> None:
        self._origin = config.origin
        self._ports = ports
        self._page_policy = (b"content-security-policy", _page_policy(config.origin).encode())
        self._front_headers: Headers = [
            NOSNIFF,
            (b"content-security-policy", _front_policy(config.origin).encode()),
            (b"content-type", f"{HTML}; charset=utf-8".encode()),
        ]
        self._remembered: dict[tuple[int, Refusal], bytes] = {}

    async def reply(self, refusal: Refusal, scope: Scope, table: RouteTable | None) -> Reply:
        """`table` is the one that the refused request was decided on."""
        headers = self._headers(refusal, scope)
        if is_call(scope):
            return self._ended_call(refusal, headers)
        route = None if table is None else table.routes.get(refusal.route or "")
        if refusal.problem.status != 402 or route is None or table is None:
            return await self._elsewhere(refusal, scope, table, headers)
        headers += self._links(route)
        wanted = preferred(header(scope["headers"], b"accept") or "*/*", OFFERED)
        if wanted == HTML and (page := await self._page(route, scope)) is not None:
            headers += [NOSNIFF, self._page_policy]
            return _reply(refusal, headers, f"{HTML}; charset=utf-8", page)
        headers += SANDBOX
        if wanted == MARKDOWN:
            text = self._markdown(route, refusal).encode()
            return _reply(refusal, headers, f"{MARKDOWN}; charset=utf-8", text)
        if (signable := await self._signable(route, scope)) is not None:
            whole = {**self._document(route, refusal), "signable": signable}
            return _reply(refusal, headers, JSON, json.dumps(whole).encode())
        return _reply(refusal, headers, JSON, self._body(table, route, refusal))

    def _ended_call(self, refusal: Refusal, headers: Headers) -> Reply:
        trailers = ending(refusal.problem, origin=self._origin, detail=refusal.detail)
        headers = [(b"content-type", CONTENT_TYPE.encode()), *headers, *trailers]
        if refusal.problem.status == 402 and refusal.route is not None:
            url = f"{self._origin}/apicharge/v1/quotes?route={quote(refusal.route, safe='')}"
            headers.append((b"link", f'<{url}>; rel="payment"; type="application/json"'.encode()))
        return Reply(200, headers)

    def preflight(self, scope: Scope, route: Route) -> Reply:
        requested = header(scope["headers"], b"access-control-request-headers")
        asked = header(scope["headers"], b"access-control-request-method") or "GET"
        return Reply(204, preflight(requested, route.methods or {asked}))

    def _headers(self, refusal: Refusal, scope: Scope) -> Headers:
        headers: Headers = [NO_STORE]
        if refusal.problem.status == 401 and refusal.error:
            headers.append((b"www-authenticate", f'ApiCharge error="{refusal.error}"'.encode()))
        if refusal.retry_after_s is not None:
            headers.append((b"retry-after", b"%d" % refusal.retry_after_s))
        if header(scope["headers"], b"origin") is not None:
            headers += CORS
        return headers

    def _links(self, route: Route) -> Headers:
        links = [
            f'<{self._quotes_url(route)}>; rel="payment"; type="application/json"',
            f'<{self._origin}/openapi.json>; rel="service-desc"; type="application/json"',
            f'<{self._origin}/llms.txt>; rel="help"; type="text/plain"',
        ]
        return [(b"link", ", ".join(links).encode()), (b"vary", b"accept, apicharge-buyer")]

    def _quotes_url(self, route: Route) -> str:
        return f"{self._origin}/apicharge/v1/quotes?route={quote(route.id, safe='')}"

    async def _page(self, route: Route, scope: Scope) -> bytes | None:
        page = self._ports.purchase_page
        return None if page is None else await page(route.id, _asked(scope))

    async def _elsewhere(
        self, refusal: Refusal, scope: Scope, table: RouteTable | None, headers: Headers
    ) -> Reply:
        if table is not None and (page := await self._front(refusal, scope, table)):
            return Reply(200, [*headers, *self._front_headers], page)
        document = problem_document(refusal.problem, origin=self._origin, detail=refusal.detail)
        return _reply(refusal, [*headers, *SANDBOX], JSON, json.dumps(document).encode())

    async def _front(self, refusal: Refusal, scope: Scope, table: RouteTable) -> bytes | None:
        """A service's own host shows a browser what it is, where no route of it answers."""
        page, path = self._ports.front_page, scope["path"]
        if page is None or refusal.problem is not ROUTE_NOT_FOUND or path not in FRONT:
            return None
        if scope["type"] != "http" or scope["method"] not in {"GET", "HEAD"}:
            return None
        service = table.hosts.get(table.own_host(header(scope["headers"], b"host") or ""))
        accepted = header(scope["headers"], b"accept") or "*/*"
        if service is None or preferred(accepted, OFFERED) != HTML:
            return None
        return await page(service.slug, path)

    async def _signable(self, route: Route, scope: Scope) -> Mapping[str, object] | None:
        buyer = header(scope["headers"], b"apicharge-buyer")
        if buyer is None:
            query = scope["query_string"].decode("latin-1")
            buyer = next(iter(parse_qs(query).get("apicharge-buyer", [])), None)
        if self._ports.signable is None or buyer is None or not BUYER(buyer):
            return None
        client = scope.get("client") or ("", 0)
        return await self._ports.signable(route.id, buyer, client[0])

    def _body(self, table: RouteTable, route: Route, refusal: Refusal) -> bytes:
        key = (table.version, refusal)
        body = self._remembered.get(key)
        if body is None:
            if len(self._remembered) >= REPLIES_KEPT:
                self._remembered.clear()
            body = json.dumps(self._document(route, refusal), ensure_ascii=False).encode()
            self._remembered[key] = body
        return body

    def _document(self, route: Route, refusal: Refusal) -> dict[str, object]:
        url = self._quotes_url(route)
        return {
            **problem_document(refusal.problem, origin=self._origin, detail=refusal.detail),
            "route": route.id,
            "quotes": [
                {
                    "url": url,
                    "name": offer.name,
                    "price": {"amount": offer.amount, "asset": offer.asset},
                    "access_seconds": offer.access_seconds,
                    "limits": list(offer.limits),
                    "words": list(offer.words),
                }
                for offer in route.offers
            ],
            **({} if route.guard is None else {"guards": route.guard.words()}),
            "purchase": {
                "url": f"{self._origin}/apicharge/v1/purchases",
                "how": 'POST {"quote": <a quote of quotes[].url>, "buyer": "G…", '
                '"access_key": "<32 bytes, base64url>"} as application/json',
            },
            "guidance": {"summary": _summary(route), "steps": self._steps(route)},
        }

    def _steps(self, route: Route) -> list[str]:
        purchases = f"{self._origin}/apicharge/v1/purchases"
        return [
            f"GET {self._quotes_url(route)} and choose one of its signed quotes.",
            f"POST it with your Stellar account as `buyer` to {purchases}.",
            "Check `preimage_xdr` against the quote.",
            "Sign the 32 bytes of `authorization_to_sign` with the buyer's ed25519 key.",
            f"POST the signature to {purchases}/<id>/authorization with `Prefer: wait=30`.",
            "The answer holds `granted_access_token`; keep it.",
            "Make an access token of it: `<granted>~<client JWS>`, signed by the access key.",
            "Repeat this request with the header `apicharge: <access token>`.",
            f"All of it is described in {self._origin}/llms.txt and {self._origin}/openapi.json.",
        ]

    def _markdown(self, route: Route, refusal: Refusal) -> str:
        steps = "\n".join(f"{n}. {step}" for n, step in enumerate(self._steps(route), start=1))
        offers = "\n".join(f"- {_offer_words(offer)}" for offer in route.offers)
        return (
            f"# {refusal.problem.title}\n\n{refusal.detail}\n\n{_summary(route)}\n\n"
            f"{offers}\n\n## How to buy\n\n{steps}\n"
        )


def _reply(refusal: Refusal, headers: Headers, content_type: str, body: bytes) -> Reply:
    return Reply(refusal.problem.status, [*headers, (b"content-type", content_type.encode())], body)


def _page_policy(origin: str) -> str:
    """The purchase page is the site's own, wherever it is shown: not sandboxed, not framed."""
    return (
        f"default-src 'self' {origin}; img-src 'self' {origin} data:; object-src 'none'; "
        f"base-uri 'none'; form-action 'self' {origin}; frame-ancestors 'none'"
    )


def _asked(scope: Scope) -> str:
    """The page that a browser can be led back to; none where it sent something."""
    if scope["method"] != "GET":
        return ""
    raw_path: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    query = b"?" + scope["query_string"] if scope["query_string"] else b""
    asked = raw_path + query
    return asked.decode("latin-1") if len(asked) <= ASKED_BYTES_MAX else ""


def _front_policy(origin: str) -> str:
    """On the service's own host: scripts are the site's alone, an upstream writes the others there.

    The API reference writes style elements of its own.
    """
    return (
        f"default-src {origin}; img-src {origin} data:; style-src {origin} 'unsafe-inline'; "
        f"object-src 'none'; base-uri 'none'; form-action {origin}; frame-ancestors 'none'"
    )


def _summary(route: Route) -> str:
    if not route.offers:
        return f"{route.name} is sold by the grant; nothing is on sale now."
    cheapest = min(route.offers, key=lambda offer: int(offer.amount))
    return f"{route.name} is sold by the grant, from {_offer_words(cheapest)}."


def _offer_words(offer: Offer) -> str:
    price = f"{Decimal(int(offer.amount)).scaleb(-DECIMALS).normalize():f} {offer.asset}"
    terms = ", ".join([f"{offer.access_seconds:,} seconds of access", *offer.words])
    return f"{offer.name}: {price} for {terms}"
