"""A gateway over a real socket that sells and gates one route, and can be told to misbehave."""

import base64
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from nacl.signing import SigningKey, VerifyKey
from stellar_sdk import StrKey

from tests.client.instructions import (
    CONTRACT,
    LATEST_LEDGER,
    PASSPHRASE,
    SIGNER,
    Proposal,
    signed_quote,
)

GRANT_KEY = SigningKey(b"\x61" * 32)
Json = dict[str, object]


@dataclass
class Purchase:
    quote: Json
    buyer: str
    access_key: bytes
    to_sign: str
    status: str = "instructed"
    signature: str = ""
    token: str = ""


PAYMENT = "ab" * 32


@dataclass
class FakeGateway:
    origin: str = ""
    quotes: list[Json] = field(default_factory=lambda: [signed_quote()])
    route: str = "weather/forecast"
    calls_per_grant: int = 3
    after_authorization: str = "granted"
    tamper: Callable[[Json], Json] = lambda document: document
    tamper_grant: Callable[[Json], Json] = lambda claims: claims
    signer: str = field(default_factory=lambda: bytes(SIGNER.verify_key).hex())
    contract: str = CONTRACT
    clock_ahead_s: float = 0.0
    delay_s: float = 0.0
    in_html: bool = False
    failures: int = 0
    drop_answer_to: str = ""
    purchases: dict[str, Purchase] = field(default_factory=dict)
    forgotten: dict[str, Purchase] = field(default_factory=dict)
    used: dict[str, int] = field(default_factory=dict)
    calls: list[tuple[str, str, str, bytes]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    rpc_ledger: int = LATEST_LEDGER
    on_chain: Json = field(default_factory=lambda: {"status": "NOT_FOUND"})
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"{self.origin}/gate/weather/forecast"

    @property
    def signed(self) -> int:
        return sum(1 for purchase in self.purchases.values() if purchase.signature)

    def answer(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, Json, dict[str, str]]:
        path, _, _ = path.partition("?")
        parts = path.strip("/").split("/")
        with self.lock:
            if path == "/rpc":
                return 200, {"jsonrpc": "2.0", "id": 1, "result": self.node(json.loads(body))}, {}
            if parts[0] == "gate":
                self.calls.append((method, path, _presented(headers), body))
                self.headers.append(headers)
                return self.gated(path, headers)
            if parts[:3] == ["apicharge", "v1", "quotes"]:
                return 200, self.quote_document(), {}
            if parts[:3] == ["apicharge", "v1", "grants"]:
                return self.left_of(parts[3], headers)
            if parts[:3] == ["apicharge", "v1", "purchases"]:
                document = json.loads(body) if body else {}
                return self.purchase(method, parts[3:], document)
        return problem(404, "not-found")

    def node(self, call: Json) -> Json:
        if call["method"] == "getTransaction":
            assert call["params"] == {"hash": PAYMENT}
            return self.on_chain
        return {"sequence": self.rpc_ledger}

    def quote_document(self) -> Json:
        return {
            "issuer": self.origin,
            "network": "testnet",
            "passphrase": PASSPHRASE,
            "contract": self.contract,
            "signer": self.signer,
            "quotes": self.quotes,
        }

    def purchase(
        self, method: str, rest: list[str], body: Json
    ) -> tuple[int, Json, dict[str, str]]:
        if not rest:
            return 201, self.tamper(self.instruct(body)), {}
        if rest[1:] == ["recover"] and rest[0] in self.forgotten:
            self.purchases[rest[0]] = self.forgotten.pop(rest[0])
            return 200, self.status(rest[0]), {}
        if rest[0] not in self.purchases:
            return problem(404, "not-found")
        if rest[1:] == ["authorization"]:
            return self.authorize(rest[0], body)
        return 200, self.status(rest[0]), {}

    def instruct(self, body: Json) -> Json:
        quote = body["quote"]
        assert isinstance(quote, dict)
        assert quote in self.quotes
        purchase_id = hashlib.sha256(str(len(self.purchases)).encode()).digest()
        access_key = base64.urlsafe_b64decode(f"{body['access_key']}=")
        buyer = str(body["buyer"])
        document = Proposal(quote, buyer, access_key, purchase_id).document()
        if quote["price"]["amount"] == "0":
            message = b"apicharge-free-v1\0" + purchase_id + bytes.fromhex(quote["digest"])
            document["authorization_to_sign"] = hashlib.sha256(message + access_key).hexdigest()
            document |= {"preimage_xdr": None, "entry_xdr": None, "valid_until_ledger": None}
        to_sign = str(document["authorization_to_sign"])
        self.purchases[purchase_id.hex()] = Purchase(quote, buyer, access_key, to_sign)
        return document

    def authorize(self, purchase_id: str, body: Json) -> tuple[int, Json, dict[str, str]]:
        purchase = self.purchases[purchase_id]
        signature = base64.urlsafe_b64decode(f"{body['signature']}==")
        key = VerifyKey(StrKey.decode_ed25519_public_key(str(body["signer"])))
        key.verify(bytes.fromhex(purchase.to_sign), signature)
        assert purchase.signature in {"", body["signature"]}, "signed twice"
        if self.failures:
            self.failures -= 1
            return problem(503, "network-unavailable")
        if self.after_authorization == "invalid":
            return problem(422, "authorization-invalid")
        if purchase.status in {"expired", "rejected", "failed"}:
            return problem(409, "purchase-ended")
        purchase.signature = str(body["signature"])
        if purchase.status == "instructed":
            self.move(purchase_id, self.after_authorization)
        return 202, self.status(purchase_id), {}

    def move(self, purchase_id: str, status: str) -> None:
        purchase = self.purchases[purchase_id]
        purchase.status = status
        if status == "granted" and not purchase.token:
            purchase.token = self.grant(purchase_id, purchase)

    def status(self, purchase_id: str) -> Json:
        purchase = self.purchases[purchase_id]
        document: Json = {"id": purchase_id, "status": purchase.status}
        if purchase.token:
            document["granted_access_token"] = purchase.token
        if purchase.status in {"expired", "rejected", "failed"}:
            document["problem"] = {"title": "No balance", "detail": "The buyer has no USDC."}
        return document

    def grant(self, purchase_id: str, purchase: Purchase) -> str:
        now = int(time.time())
        sold = ("route", "limits", "starts", "charge", "adjustable", "meter")
        jwk = {"kty": "OKP", "crv": "Ed25519", "x": _b64(purchase.access_key)}
        claims: Json = {
            "iss": self.origin,
            "aud": self.origin,
            "sub": purchase.buyer,
            "jti": purchase_id,
            "iat": now,
            "nbf": now,
            "exp": now + 3600,
            **{name: purchase.quote[name] for name in sold},
            "quote": purchase.quote["digest"],
            "pay": {"tx": PAYMENT},
            "cnf": {"jwk": jwk},
        }
        header = {"alg": "EdDSA", "typ": "apicharge-grant+jwt", "kid": "k"}
        text = f"{_json64(header)}.{_json64(self.tamper_grant(claims))}"
        return f"{text}.{_b64(GRANT_KEY.sign(text.encode()).signature)}"

    def left_of(self, grant_id: str, headers: dict[str, str]) -> tuple[int, Json, dict[str, str]]:
        token = _presented(headers)
        if not token or _claims(token.partition("~")[0])["jti"] != grant_id:
            return problem(401, "invalid-token")
        used = self.used.get(grant_id, 0)
        total = self.calls_per_grant
        calls = {"kind": "calls", "count": total, "window_seconds": None}
        rate = {"kind": "rate", "count": 5, "window_seconds": 1, "used": None, "left": None}
        limits = [{**calls, "used": used, "left": total - used, "renews_at": None}, rate]
        return 200, {"id": grant_id, "route": self.route, "limits": limits}, {}

    def gated(self, path: str, headers: dict[str, str]) -> tuple[int, Json, dict[str, str]]:
        token = _presented(headers)
        if not token:
            return self.challenge()
        granted, _, client = token.partition("~")
        grant, own = _claims(granted), _claims(client)
        jwk = grant["cnf"]["jwk"]["x"]
        text, _, signature = client.rpartition(".")
        raw = base64.urlsafe_b64decode(f"{signature}==")
        VerifyKey(base64.urlsafe_b64decode(f"{jwk}=")).verify(text.encode(), raw)
        assert own["grant"] == hashlib.sha256(granted.encode()).hexdigest()
        now = time.time() + self.clock_ahead_s
        if own["exp"] <= now:
            challenge = {"WWW-Authenticate": 'ApiCharge error="token_expired"'}
            return problem(
                401, "token-expired", {**challenge, "Date": formatdate(now, usegmt=True)}
            )
        if grant["route"] != self.route:
            return problem(403, "out-of-scope")
        if self.used.get(grant["jti"], 0) >= self.calls_per_grant:
            return self.challenge()
        self.used[grant["jti"]] = self.used.get(grant["jti"], 0) + 1
        return 200, {"weather": "fine", "path": path}, {}

    def challenge(self) -> tuple[int, Json, dict[str, str]]:
        api = f"{self.origin}/apicharge/v1"
        document = {
            "type": f"{self.origin}/problems/payment-required",
            "title": "This route is sold by the grant",
            "status": 402,
            "detail": "Buy a grant.",
            "route": self.route,
            "quotes": [{"url": f"{api}/quotes?route={self.route}"}],
            "purchase": {"url": f"{api}/purchases", "how": "POST"},
        }
        if self.in_html:
            link = f'<{api}/quotes?route=weather%2Fforecast>; rel="payment"'
            return 402, {"html": "<!doctype html>"}, {"Link": link, "Content-Type": "text/html"}
        return 402, document, {}


def problem(
    status: int, slug: str, headers: dict[str, str] | None = None
) -> tuple[int, Json, dict[str, str]]:
    document: Json = {"type": f"/problems/{slug}", "title": slug, "status": status, "detail": slug}
    return status, document, headers or {}


@contextmanager
def running(gateway: FakeGateway) -> Iterator[FakeGateway]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            time.sleep(gateway.delay_s)
            status, document, more = gateway.answer(self.command, self.path, headers, body)
            if gateway.drop_answer_to and gateway.drop_answer_to in self.path:
                gateway.drop_answer_to = ""
                self.close_connection = True
                return
            answer = json.dumps(document).encode()
            self.send_response_only(status)
            for name, value in {"Content-Type": "application/json", **more}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args: object) -> None:
            pass

    for method in ("GET", "POST", "PUT", "DELETE"):
        setattr(Handler, f"do_{method}", Handler.serve)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    gateway.origin = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield gateway
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _presented(headers: dict[str, str]) -> str:
    own = headers.get("authorization", "")
    if own.startswith("ApiCharge "):
        return own.removeprefix("ApiCharge ")
    return headers.get("apicharge", "")


def _claims(token: str) -> dict[str, object]:
    return json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _json64(value: object) -> str:
    return _b64(json.dumps(value, separators=(",", ":")).encode())
