"""Writes tokens.json: tokens made with the standard library alone, from the protocol's text.

    python -m tests.vectors.tokens_by_hand > tests/vectors/tokens.json

Every refused token differs from an accepted one in one thing, and says which in its name.
"""

import base64
import hashlib
import hmac
import json
import sys
from collections.abc import Callable

from tests.vectors import rfc8032

ISSUER = "https://gw.example"
NOW = 1_790_000_000
GRANT_SEED, ACCESS_SEED, STRANGER_SEED = (bytes([n]) * 32 for n in (1, 2, 3))
GRANT_KEY, ACCESS_KEY = rfc8032.public_key(GRANT_SEED), rfc8032.public_key(ACCESS_SEED)
SEP53 = "apicharge-access-sep53+jwt"

Json = dict[str, object]


def b64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().replace("=", "")


def dump(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def thumbprint(key: bytes) -> str:
    members = {"crv": "Ed25519", "kty": "OKP", "x": b64url(key)}
    return b64url(hashlib.sha256(dump(members)).digest())


KID = thumbprint(GRANT_KEY)
GRANT_HEADER: Json = {"alg": "EdDSA", "typ": "apicharge-grant+jwt", "kid": KID}
CLIENT_HEADER: Json = {"alg": "EdDSA", "typ": "apicharge-access+jwt"}
CALLS: Json = {"kind": "calls", "count": 1000, "window_seconds": None}
CNF: Json = {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": b64url(ACCESS_KEY)}}
CLAIMS: Json = {
    "iss": ISSUER,
    "aud": ISSUER,
    "sub": "GDGW2SVE4CQZRGSMDLOQQFCD6OT4J6SBUIHBXUS4NMR5ZRPIYZPPNHWE",
    "jti": "ab" * 32,
    "iat": NOW - 100,
    "nbf": NOW - 100,
    "exp": NOW + 3500,
    "route": "weather/forecast",
    "limits": [CALLS],
    "starts": "purchase",
    "charge": "success",
    "adjustable": False,
    "meter": None,
    "quote": "cd" * 32,
    "pay": {
        "network": "testnet",
        "contract": "C1",
        "tx": "ef" * 32,
        "amount": "1",
        "asset": "USDC",
    },
    "cnf": CNF,
}


def jws(header: object, claims: object, seed: bytes) -> str:
    return raw_jws(dump(header), dump(claims), seed)


def raw_jws(header: bytes, claims: bytes, seed: bytes) -> str:
    signing_input = f"{b64url(header)}.{b64url(claims)}"
    return f"{signing_input}.{b64url(rfc8032.sign(seed, signing_input.encode()))}"


def without(claims: Json, name: str) -> Json:
    return {key: value for key, value in claims.items() if key != name}


def granted(**changes: object) -> str:
    return jws(GRANT_HEADER, CLAIMS | changes, GRANT_SEED)


GRANTED = granted()
BEARER = jws(GRANT_HEADER, without(CLAIMS, "cnf"), GRANT_SEED)
CLIENT: Json = {"exp": NOW + 60, "grant": hashlib.sha256(GRANTED.encode()).hexdigest()}


def client(**changes: object) -> str:
    return f"{GRANTED}~{jws(CLIENT_HEADER, CLIENT | changes, ACCESS_SEED)}"


def of(other: str) -> str:
    """An access token, whole and well signed, for another granted token."""
    digest = hashlib.sha256(other.encode()).hexdigest()
    return f"{other}~{jws(CLIENT_HEADER, CLIENT | {'grant': digest}, ACCESS_SEED)}"


def sep53(hashed: bool = True, header: Json | None = None) -> str:
    signing_input = (
        f"{b64url(dump(header or CLIENT_HEADER | {'typ': SEP53}))}.{b64url(dump(CLIENT))}"
    )
    message = signing_input.encode()
    if hashed:
        message = hashlib.sha256(b"Stellar Signed Message:\n" + message).digest()
    return f"{GRANTED}~{signing_input}.{b64url(rfc8032.sign(ACCESS_SEED, message))}"


def with_last_char(token: str, change: Callable[[int], int]) -> str:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + alphabet[change(alphabet.index(token[-1])) % 64]


def accepted() -> dict[str, str]:
    first_use = granted(starts="first_use", access_seconds=600)
    return {
        "plain": client(),
        "scoped": client(methods=["GET", "HEAD"], path="/v1/now", jti="tok-1", iat=NOW),
        "manage": client(act="manage"),
        "not_before": client(nbf=NOW - 1),
        "sep53": sep53(),
        "first_use": of(first_use),
        "free": of(granted(pay=None)),
        "bearer": BEARER,
    }


def broken_headers() -> dict[str, tuple[str, str]]:
    def grant(**changes: object) -> str:
        return of(jws(GRANT_HEADER | changes, CLAIMS, GRANT_SEED))

    def access(**changes: object) -> str:
        return f"{GRANTED}~{jws(CLIENT_HEADER | changes, CLIENT, ACCESS_SEED)}"

    def hmac_signed(header: Json, claims: Json, secret: bytes) -> str:
        text = f"{b64url(dump(header))}.{b64url(dump(claims))}"
        return f"{text}.{b64url(hmac.new(secret, text.encode(), 'sha256').digest())}"

    hs256 = GRANT_HEADER | {"alg": "HS256"}
    unsigned = f"{b64url(dump(GRANT_HEADER | {'alg': 'none'}))}.{b64url(dump(CLAIMS))}."
    return {
        "grant alg none": ("malformed", of(unsigned)),
        "grant alg None in capitals": ("malformed", grant(alg="NONE")),
        "grant alg HS256 keyed with the public key": (
            "malformed",
            of(hmac_signed(hs256, CLAIMS, GRANT_KEY)),
        ),
        "grant alg ES256": ("malformed", grant(alg="ES256")),
        "grant alg Ed25519": ("malformed", grant(alg="Ed25519")),
        "grant alg eddsa in small letters": ("malformed", grant(alg="eddsa")),
        "grant alg missing": (
            "malformed",
            of(jws(without(GRANT_HEADER, "alg"), CLAIMS, GRANT_SEED)),
        ),
        "grant alg is a list": ("malformed", grant(alg=["EdDSA"])),
        "grant typ JWT": ("malformed", grant(typ="JWT")),
        "grant typ of an access token": ("malformed", grant(typ="apicharge-access+jwt")),
        "grant kid is a path": ("unknown_key", grant(kid="../../dev/null")),
        "grant kid is SQL": ("unknown_key", grant(kid="' OR 1=1 --")),
        "grant kid is a number": ("malformed", grant(kid=1)),
        "grant kid missing": (
            "malformed",
            of(jws(without(GRANT_HEADER, "kid"), CLAIMS, GRANT_SEED)),
        ),
        "grant of another issuer's key": (
            "unknown_key",
            of(
                jws(
                    GRANT_HEADER | {"kid": thumbprint(rfc8032.public_key(STRANGER_SEED))},
                    CLAIMS,
                    STRANGER_SEED,
                )
            ),
        ),
        "grant with its key in the header": ("malformed", grant(jwk=CNF["jwk"])),
        "grant with jku": ("malformed", grant(jku="https://evil.example/jwks.json")),
        "grant with crit": ("malformed", grant(crit=["exp"])),
        "grant with b64 false": ("malformed", grant(b64=False, crit=["b64"])),
        "client alg none": ("malformed", access(alg="none")),
        "client alg HS256 keyed with the access key": (
            "malformed",
            f"{GRANTED}~{hmac_signed(CLIENT_HEADER | {'alg': 'HS256'}, CLIENT, ACCESS_KEY)}",
        ),
        "client typ JWT": ("malformed", access(typ="JWT")),
        "client typ of a grant": ("malformed", access(typ="apicharge-grant+jwt")),
        "client typ is a list": ("malformed", access(typ=["apicharge-access+jwt"])),
        "client typ is an object": ("malformed", access(typ={})),
        "client alg is null": ("malformed", access(alg=None)),
        "grant typ is a list": ("malformed", grant(typ=["apicharge-grant+jwt"])),
        "grant kid is a list": ("malformed", grant(kid=[KID])),
        "client typ missing": (
            "malformed",
            f"{GRANTED}~{jws({'alg': 'EdDSA'}, CLIENT, ACCESS_SEED)}",
        ),
        "client with kid": ("malformed", access(kid=KID)),
        "client with its key in the header": ("malformed", access(jwk=CNF["jwk"])),
        "sep53 typ signed plainly": ("bad_signature", sep53(hashed=False)),
        "plain typ signed as sep53": ("bad_signature", sep53(header=CLIENT_HEADER)),
    }


def broken_signatures() -> dict[str, tuple[str, str]]:
    head, body, signature = GRANTED.split(".")
    other_body = b64url(dump(CLAIMS | {"exp": NOW + 9_999_999}))
    grant, own = client().split("~")
    zero = b64url(bytes(64))
    return {
        "grant signed by a stranger": (
            "bad_signature",
            of(jws(GRANT_HEADER, CLAIMS, STRANGER_SEED)),
        ),
        "grant signed by its access key": (
            "bad_signature",
            of(jws(GRANT_HEADER, CLAIMS, ACCESS_SEED)),
        ),
        "grant with a longer life": ("bad_signature", of(f"{head}.{other_body}.{signature}")),
        "grant with a zero signature": ("bad_signature", of(f"{head}.{body}.{zero}")),
        "grant with an empty signature": ("bad_signature", of(f"{head}.{body}.")),
        "grant signature cut": ("bad_signature", of(f"{head}.{body}.{signature[:-2]}")),
        "client signed by a stranger": (
            "bad_signature",
            f"{GRANTED}~{jws(CLIENT_HEADER, CLIENT, STRANGER_SEED)}",
        ),
        "client signed by the issuer": (
            "bad_signature",
            f"{GRANTED}~{jws(CLIENT_HEADER, CLIENT, GRANT_SEED)}",
        ),
        "client without signature": ("bad_signature", f"{grant}~{own.rpartition('.')[0]}."),
        "client made for another grant": (
            "malformed",
            f"{granted(jti='00' * 32)}~{own}",
        ),
    }


def broken_framing() -> dict[str, tuple[str, str]]:
    grant, own = client().split("~")
    head, body, signature = grant.split(".")
    duplicate = dump(CLAIMS)[:-1] + b',"exp":9999999999}'
    deep = b'{"a":' + b"[" * 4000
    return {
        key: ("malformed", token)
        for key, token in {
            "empty": "",
            "one dot": ".",
            "two dots": "..",
            "tilde alone": "~",
            "words": "open sesame",
            "grant without client token": grant,
            "grant and a bare tilde": f"{grant}~",
            "client token alone": own,
            "client token first": f"{own}~{grant}",
            "two client tokens": f"{grant}~{own}~{own}",
            "bearer grant with client token": of(BEARER),
            "two segments": of(f"{head}.{body}"),
            "four segments": of(f"{grant}.{signature}"),
            "five segments, as JWE": of(f"{grant}.{head}.{body}"),
            "truncated": client()[:-20].rpartition(".")[0],
            "space before": f" {client()}",
            "newline after": f"{client()}\n",
            "space inside": f"{grant} ~{own}",
            "tab in a segment": f"{head}.\t{body}.{signature}~{own}",
            "padding": of(f"{head}.{body}.{signature}=="),
            "standard alphabet": f"{grant}~{own[:-4]}+/+/",
            "trailing bits in the grant": of(with_last_char(grant, lambda n: n + 1)),
            "trailing bits in the client token": with_last_char(client(), lambda n: n + 1),
            "impossible length": of(f"{head}.{body}.{signature}AAA"),
            "letter beyond ASCII": f"{grant}~{own[:-1]}\u00e9",
            "full-width dot": client().replace(".", "\uff0e"),
            "NUL": f"{client()}\0",
            "9 KiB": of(granted(meter={"pad": "x" * 7000})),
            "nested 4000 deep": of(raw_jws(dump(GRANT_HEADER), deep, GRANT_SEED)),
            "duplicate key": of(raw_jws(dump(GRANT_HEADER), duplicate, GRANT_SEED)),
            "byte order mark": of(
                raw_jws(dump(GRANT_HEADER), b"\xef\xbb\xbf" + dump(CLAIMS), GRANT_SEED)
            ),
            "UTF-16": of(
                raw_jws(dump(GRANT_HEADER), dump(CLAIMS).decode().encode("utf-16"), GRANT_SEED)
            ),
            "broken UTF-8": of(raw_jws(dump(GRANT_HEADER), b'{"iss":"\xff"}', GRANT_SEED)),
            "lone surrogate": of(granted(iss="\ud800")),
            "claims are a list": of(jws(GRANT_HEADER, [CLAIMS], GRANT_SEED)),
            "header is a text": of(jws("EdDSA", CLAIMS, GRANT_SEED)),
            "trailing comma": of(
                raw_jws(dump(GRANT_HEADER), dump(CLAIMS)[:-1] + b",}", GRANT_SEED)
            ),
            "two JSON values": of(raw_jws(dump(GRANT_HEADER), dump(CLAIMS) * 2, GRANT_SEED)),
        }.items()
    }


def broken_claims() -> dict[str, tuple[str, str]]:
    bad_keys: list[object] = [
        None,
        {},
        {"jwk": {"kty": "OKP", "crv": "X25519", "x": b64url(ACCESS_KEY)}},
        {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": b64url(ACCESS_KEY[:31])}},
        {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": b64url(ACCESS_KEY) + "="}},
        {"jwk": {"kty": "oct", "k": b64url(ACCESS_KEY)}},
        {"jwk": CNF["jwk"], "jku": "https://evil.example"},
        {"kid": KID},
    ]
    changes: dict[str, list[object]] = {
        "exp": [None, True, 1.5, 1e9, "1790003500", -1, 2**53, NOW - 100],
        "nbf": [None, False, "0"],
        "iat": [None, 1.0],
        "jti": [None, "", "AB" * 32, "ab" * 31, 7],
        "route": [None, "weather", "/weather/forecast", "a/b/c"],
        "limits": [None, {}, [None], [{"kind": "wishes", "count": 3}], [{}]],
        "starts": [None, "tomorrow", "first_use"],
        "charge": [None, "never"],
        "adjustable": [None, 0, "false"],
        "meter": [[], "none"],
        "pay": [[], "paid", False],
        "quote": [None, "cd" * 31],
        "cnf": bad_keys,
        "admin": [True],
        "access_seconds": [600],
    }
    cases = {
        f"grant {name} {json.dumps(value)[:40]}": of(granted(**{name: value}))
        for name, values in changes.items()
        for value in values
    }
    for name in without(CLAIMS, "cnf"):
        cases[f"grant without {name}"] = of(jws(GRANT_HEADER, without(CLAIMS, name), GRANT_SEED))
    own: dict[str, list[object]] = {
        "exp": [None, True, 1790000060.0, "1790000060", -5],
        "nbf": [None, 1.5],
        "iat": [None, "now"],
        "grant": [None, "00" * 32, "xyz"],
        "jti": ["", 5, "a" * 65, "a b"],
        "methods": [None, [], "GET", ["get"], ["GET", "GET"], [1], ["G ET"], ["M"] * 17],
        "path": [None, "", "v1", "/a?b", "/a b", "/a\\b", "/a#b", 5],
        "act": [None, "", "admin", "MANAGE", True],
        "scope": ["all"],
    }
    for name, values in own.items():
        for value in values:
            cases[f"client {name} {json.dumps(value)[:40]}"] = client(**{name: value})
    cases["client without exp"] = (
        f"{GRANTED}~{jws(CLIENT_HEADER, without(CLIENT, 'exp'), ACCESS_SEED)}"
    )
    return {name: ("malformed", token) for name, token in cases.items()}


def document() -> Json:
    refused = broken_headers() | broken_signatures() | broken_framing() | broken_claims()
    return {
        "made_by": "tests/vectors/tokens_by_hand.py",
        "issuer": ISSUER,
        "now": NOW,
        "grant_seed": GRANT_SEED.hex(),
        "access_seed": ACCESS_SEED.hex(),
        "keys": {KID: GRANT_KEY.hex()},
        "claims": CLAIMS,
        "granted": GRANTED,
        "accepted": accepted(),
        "refused": [
            {"name": name, "reason": reason, "token": token}
            for name, (reason, token) in refused.items()
        ],
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(document(), indent=1) + "\n")
