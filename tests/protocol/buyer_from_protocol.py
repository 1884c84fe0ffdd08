"""A buyer written from docs/protocol.md alone: the standard library, and PyNaCl for ed25519.

    python tests/protocol/buyer_from_protocol.py https://gw.example/gate/weather/now \
        --gateway https://gw.example --rpc https://node.example --seed-file seed.hex

It buys the cheapest quote of the route, calls the address, reads what is left, revokes the grant,
and is refused. It shares no code with the server or its client: XDR and StrKey are written out.
"""

import argparse
import base64
import hashlib
import json
import struct
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from nacl.signing import SigningKey, VerifyKey

Json = dict[str, object]
LEDGERS_AHEAD_MAX = 200
TERMS = ("access_seconds", "adjustable", "charge", "limits", "meter", "route", "starts")


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Json:
        return json.loads(self.body)


def http(method: str, url: str, body: object = None, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    data = None if body is None else json.dumps(body).encode()
    if data is not None:
        named["Content-Type"] = "application/json"
    request = urllib.request.Request(url, data, named, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=60) as response:
            return Answer(response.status, _lower(response.headers), response.read())
    except urllib.error.HTTPError as refused:
        with refused:
            return Answer(refused.code, _lower(refused.headers), refused.read())


def _lower(headers: object) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}  # type: ignore[attr-defined]


def b64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def strkey(version: int, raw: bytes) -> str:
    body, crc = bytes([version << 3]) + raw, 0
    for byte in body:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return base64.b32encode(body + struct.pack("<H", crc)).decode()


def account(public: bytes) -> str:
    return strkey(6, public)


def contract(raw: bytes) -> str:
    return strkey(2, raw)


def unstrkey(text: str) -> bytes:
    raw = base64.b32decode(text)[1:33]
    assert text == (account(raw) if text[0] == "G" else contract(raw)), f"bad address {text}"
    return raw


def opaque(raw: bytes) -> bytes:
    return struct.pack(">I", len(raw)) + raw + b"\0" * (-len(raw) % 4)


def sc_address(text: str) -> bytes:
    return (b"\0" * 8 if text[0] == "G" else b"\0\0\0\1") + unstrkey(text)


def address(text: str) -> bytes:
    return struct.pack(">I", 18) + sc_address(text)


def u64(number: int) -> bytes:
    return struct.pack(">IQ", 5, number)


def i128(number: int) -> bytes:
    return struct.pack(">IqQ", 10, number >> 64, number & (2**64 - 1))


def sc_bytes(raw: bytes) -> bytes:
    return struct.pack(">I", 13) + opaque(raw)


def symbol(text: str) -> bytes:
    return struct.pack(">I", 15) + opaque(text.encode())


def struct_of(members: dict[str, bytes]) -> bytes:
    entries = b"".join(symbol(name) + members[name] for name in sorted(members))
    return struct.pack(">III", 17, 1, len(members)) + entries


def invocation(callee: str, function: str, args: list[bytes], subs: list[bytes]) -> bytes:
    call = sc_address(callee) + opaque(function.encode())
    call += struct.pack(">I", len(args)) + b"".join(args)
    return struct.pack(">I", 0) + call + struct.pack(">I", len(subs)) + b"".join(subs)


def asset_contract(code: str, issuer: str, network: bytes) -> str:
    """The asset's own contract: sha256 of its HashIDPreimage."""
    width = 4 if len(code) <= 4 else 12
    asset = struct.pack(">I", 1 if width == 4 else 2) + code.encode().ljust(width, b"\0")
    asset += struct.pack(">I", 0) + unstrkey(issuer)
    preimage = struct.pack(">I", 8) + network + struct.pack(">I", 1) + asset
    return contract(hashlib.sha256(preimage).digest())


def quote_struct(quote: Json) -> bytes:
    price = quote["price"]
    return struct_of(
        {
            "access_seconds": u64(quote["access_seconds"]),
            "amount": i128(int(price["amount"])),
            "asset": address(price["sac"]),
            "expires_at": u64(quote["expires_at"]),
            "fee": i128(int(quote["fee"])),
            "payee": address(quote["payee"]),
            "terms": sc_bytes(bytes.fromhex(quote["terms"])),
            "treasury": address(quote["treasury"]),
        }
    )


@dataclass(frozen=True)
class Gateway:
    """What a buyer pins."""

    origin: str
    passphrase: str
    contract: str
    signer: str

    @property
    def network(self) -> bytes:
        return hashlib.sha256(self.passphrase.encode()).digest()

    def api(self, path: str) -> str:
        return f"{self.origin}/apicharge/v1/{path}"


def verify_quote(quote: Json, gateway: Gateway) -> None:
    terms = {name: quote[name] for name in TERMS}
    canonical = json.dumps(terms, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(canonical.encode()).hexdigest() == quote["terms"], "terms"
    price = quote["price"]
    sac = asset_contract(price["asset"], price["issuer"], gateway.network)
    assert sac == price["sac"], "asset contract"
    signed = struct_of(
        {
            "contract": address(gateway.contract),
            "domain": symbol("apicharge_quote_v1"),
            "network": sc_bytes(gateway.network),
            "quote": quote_struct(quote),
        }
    )
    digest = hashlib.sha256(signed).digest()
    assert digest.hex() == quote["digest"], "digest"
    signer = VerifyKey(bytes.fromhex(gateway.signer))
    signer.verify(digest, bytes.fromhex(quote["signature"]))


class Buyer:
    def __init__(self, seed: bytes, rpc: str = "") -> None:
        self.key = SigningKey(seed)
        self.access = SigningKey(hashlib.sha256(b"access" + seed).digest())
        self.rpc = rpc

    @property
    def public(self) -> bytes:
        return bytes(self.key.verify_key)

    def meet(self, origin: str, route: str) -> tuple[Gateway, list[Json]]:
        query = urllib.parse.urlencode({"route": route})
        answer = http("GET", f"{origin}/apicharge/v1/quotes?{query}")
        assert answer.status == 200, answer
        document = answer.json
        names = ("passphrase", "contract", "signer")
        gateway = Gateway(document["issuer"], *(document[name] for name in names))
        for quote in document["quotes"]:
            verify_quote(quote, gateway)
        return gateway, document["quotes"]

    def buy(self, gateway: Gateway, quote: Json) -> Json:
        """The purchase, granted."""
        instruction = self.instruct(gateway, quote)
        answer = self.authorize(gateway, instruction["id"], self.sign(gateway, quote, instruction))
        assert answer.status == 202, answer
        status, deadline = answer.json, time.monotonic() + 60
        while status["status"] not in {"granted", "expired", "rejected", "failed"}:
            assert time.monotonic() < deadline, status
            time.sleep(0.2)
            status = http("GET", gateway.api(f"purchases/{instruction['id']}")).json
        assert status["status"] == "granted", status
        return status

    def instruct(self, gateway: Gateway, quote: Json, **headers: str) -> Json:
        access_key = b64url(bytes(self.access.verify_key))
        body = {"quote": quote, "buyer": account(self.public), "access_key": access_key}
        answer = http("POST", gateway.api("purchases"), body, **headers)
        assert answer.status == 201, answer
        return answer.json

    def sign(self, gateway: Gateway, quote: Json, instruction: Json) -> bytes:
        to_sign = bytes.fromhex(instruction["authorization_to_sign"])
        purchase_id = bytes.fromhex(instruction["id"])
        if quote["price"]["amount"] == "0":
            message = b"apicharge-free-v1\0" + purchase_id + bytes.fromhex(quote["digest"])
            assert to_sign == hashlib.sha256(message + bytes(self.access.verify_key)).digest()
            return self.key.sign(to_sign).signature
        preimage = base64.b64decode(instruction["preimage_xdr"])
        assert hashlib.sha256(preimage).digest() == to_sign, "hash"
        (expires,) = struct.unpack(">I", preimage[44:48])
        latest = self.latest_ledger()
        assert latest < expires <= latest + LEDGERS_AHEAD_MAX, "expiry"
        agreed = self.agreed(gateway, quote, purchase_id)
        bound = sc_address(account(self.public)) if preimage[3] == 10 else b""
        head = struct.pack(">I", 10 if bound else 9) + gateway.network + preimage[36:48]
        assert preimage == head + bound + agreed, "not what was agreed"
        return self.key.sign(to_sign).signature

    def agreed(self, gateway: Gateway, quote: Json, purchase_id: bytes) -> bytes:
        me, price, fee = account(self.public), quote["price"], int(quote["fee"])
        payments = [(quote["payee"], int(price["amount"]) - fee)]
        payments += [(quote["treasury"], fee)] if fee else []
        transfers = [
            invocation(price["sac"], "transfer", [address(me), address(to), i128(amount)], [])
            for to, amount in payments
        ]
        arguments = [
            address(me),
            quote_struct(quote),
            sc_bytes(bytes.fromhex(gateway.signer)),
            sc_bytes(bytes.fromhex(quote["signature"])),
            sc_bytes(purchase_id),
            sc_bytes(bytes(self.access.verify_key)),
        ]
        return invocation(gateway.contract, "purchase", arguments, transfers)

    def latest_ledger(self) -> int:
        call = {"jsonrpc": "2.0", "id": 1, "method": "getLatestLedger"}
        return http("POST", self.rpc, call).json["result"]["sequence"]

    def authorize(self, gateway: Gateway, purchase_id: str, signature: bytes) -> Answer:
        body = {"signer": account(self.public), "signature": b64url(signature)}
        url = gateway.api(f"purchases/{purchase_id}/authorization")
        return http("POST", url, body, Prefer="wait=20")

    def token(self, granted: str, *, seconds: float = 60, **claims: object) -> str:
        """An access token: the granted one, and a JWS of our own, by the access key."""
        grant = hashlib.sha256(granted.encode()).hexdigest()
        return (
            f"{granted}~{self.jws({'exp': int(time.time() + seconds), 'grant': grant, **claims})}"
        )

    def jws(self, claims: Json, typ: str = "apicharge-access+jwt") -> str:
        parts = ({"alg": "EdDSA", "typ": typ}, claims)
        text = ".".join(b64url(json.dumps(part).encode()) for part in parts)
        signed = text.encode()
        if "sep53" in typ:
            signed = hashlib.sha256(b"Stellar Signed Message:\n" + signed).digest()
        return f"{text}.{b64url(self.access.sign(signed).signature)}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--gateway", required=True)
    parser.add_argument("--rpc", required=True)
    parser.add_argument("--seed-file", type=Path, required=True)
    arguments = parser.parse_args()

    def tell(line: str) -> None:
        sys.stdout.write(f"{line}\n")

    buyer = Buyer(bytes.fromhex(arguments.seed_file.read_text()), arguments.rpc)
    bare = http("GET", arguments.url)
    assert bare.status == 402, bare
    route = bare.json["route"]
    tell(f"bare call: 402, route {route}")
    gateway, quotes = buyer.meet(arguments.gateway, route)
    quote = min(quotes, key=lambda quote: int(quote["price"]["amount"]))
    tell(f"quote {quote['name']}: {quote['price']['amount']} {quote['price']['asset']}")
    purchase = buyer.buy(gateway, quote)
    granted = purchase["granted_access_token"]
    tell(f"purchase {purchase['status']}, transaction {purchase.get('transaction')}")
    called = http("GET", arguments.url, apicharge=buyer.token(granted))
    tell(f"call: {called.status}, {len(called.body)} bytes, {called.headers.get('ratelimit')}")
    own = gateway.api(f"grants/{purchase['id']}")
    left = http("GET", own, Authorization=f"ApiCharge {buyer.token(granted)}")
    tell(f"left: {left.status}, {json.dumps(left.json['limits'])}")
    manage = buyer.token(granted, seconds=30, act="manage")
    tell(f"revoke: {http('POST', f'{own}/revoke', {}, apicharge=manage).status}")
    deadline = time.monotonic() + 5
    while http("GET", arguments.url, apicharge=buyer.token(granted)).status != 401:
        assert time.monotonic() < deadline, "the revoked grant is still served"
        time.sleep(0.1)
    tell("call after that: 401")


if __name__ == "__main__":
    main()
