"""Proving that one holds an account, without a password: what is signed, and what it is good for.

Two ways to the same token: a SEP-10 transaction that no network takes, or a text signed as SEP-53
has it. A text is stateless: its nonce ends with a MAC over all that it says, so one that we did not
write, or that says another account or time, is refused. Each is used once, within minutes.

The token is a JWS of our own (`typ: apicharge-login+jwt`), signed by a key that signs nothing else.
It moves nothing and opens no gate: it shows a buyer what the buyer has bought.
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.domain import ed25519, jws

CHALLENGE_SECONDS = 300
TOKEN_SECONDS = 3600
HEADER: Mapping[str, object] = {"alg": "EdDSA", "typ": "apicharge-login+jwt"}
RANDOM_HEX = MAC_HEX = 32
_TEXT = re.compile(
    r"(?P<domain>[^\n ]{1,255}) asks you to prove that you hold this account:\n"
    r"(?P<account>G[A-Z2-7]{55})\n\n"
    r"It moves no money and costs nothing\.\n"
    r"Network: (?P<network>[a-z]{1,32})\n"
    r"Nonce: (?P<nonce>[0-9a-f]{32})(?P<mac>[0-9a-f]{32})\n"
    r"Until: (?P<until>[0-9]{1,12})"
)


@dataclass(frozen=True, slots=True)
class Text:
    domain: str
    account: str
    network: str
    nonce: str  # 16 random bytes, hex.
    until_s: int

    def written(self, secret: bytes) -> str:
        return (
            f"{self.domain} asks you to prove that you hold this account:\n{self.account}\n\n"
            "It moves no money and costs nothing.\n"
            f"Network: {self.network}\nNonce: {self.nonce}{self._mac(secret)}\n"
            f"Until: {self.until_s}"
        )

    def _mac(self, secret: bytes) -> str:
        said = "\n".join((self.domain, self.account, self.network, self.nonce, str(self.until_s)))
        return hmac.digest(secret, b"apicharge-login-v1\0" + said.encode(), "sha256").hex()[
            :MAC_HEX
        ]


def read_text(written: str, secret: bytes, *, domain: str, network: str) -> Text | None:
    """The text, when we wrote it for this place. Its time is for the caller to judge."""
    found = _TEXT.fullmatch(written)
    if found is None or (found["domain"], found["network"]) != (domain, network):
        return None
    text = Text(domain, found["account"], network, found["nonce"], int(found["until"]))
    return text if hmac.compare_digest(text.written(secret), written) else None


def signed_by(account_key: bytes, written: str, signature: bytes) -> bool:
    """SEP-53: over sha256 of the text with its prefix."""
    digest = hashlib.sha256(b"Stellar Signed Message:\n" + written.encode()).digest()
    return ed25519.verify(account_key, digest, signature)


@dataclass(frozen=True, slots=True)
class Login:
    issuer: str
    account: str
    id: str
    issued_at: int
    expires_at: int


def token(login: Login, sign: Callable[[bytes], bytes]) -> str:
    claims = {
        "iss": login.issuer,
        "sub": login.account,
        "jti": login.id,
        "iat": login.issued_at,
        "exp": login.expires_at,
    }
    signing_input = jws.signing_input(HEADER, claims)
    return jws.assemble(signing_input, sign(signing_input))


def read_token(text: str, public_key: bytes, *, issuer: str, now_s: float) -> Login | None:
    """Who is logged in by this token, now and here."""
    try:
        told = jws.parse(text)
        if dict(HEADER) != told.header:
            return None
        login = Login(
            issuer=_text(told.payload, "iss"),
            account=_text(told.payload, "sub"),
            id=_text(told.payload, "jti"),
            issued_at=_number(told.payload, "iat"),
            expires_at=_number(told.payload, "exp"),
        )
    except (ValueError, TypeError):
        return None
    if not ed25519.verify(public_key, told.signing_input, told.signature):
        return None
    return login if login.issuer == issuer and now_s < login.expires_at else None


def _text(claims: Mapping[str, object], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str):
        raise TypeError(name)
    return value


def _number(claims: Mapping[str, object], name: str) -> int:
    value = claims.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(name)
    return value
