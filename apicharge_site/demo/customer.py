"""The demo's buyer: everything it does, it does with the client package and over real sockets."""

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from apicharge_client import steps, tokens
from apicharge_client.buying import Buyer
from apicharge_client.keys import Key
from apicharge_client.money import Budget
from apicharge_client.quotes import Quote
from apicharge_client.store import Grant, Store
from stellar_sdk import SorobanServer
from stellar_sdk.client.requests_client import RequestsClient


@dataclass(frozen=True, slots=True)
class Bought:
    grant: Grant
    transaction: str
    ledger: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Received:
    status: int
    announced: int
    received: int
    whole: bool


class Customer:
    def __init__(self, origin: str, rpc_url: str, home: Path) -> None:
        self._origin = origin
        self._rpc_url = rpc_url
        self._key = Key(secrets.token_bytes(32))
        self._store = Store(home)
        self.http = httpx.Client(timeout=60)

    def close(self) -> None:
        self.http.close()

    @property
    def address(self) -> str:
        return self._key.address

    def offers(self, route: str) -> list[Quote]:
        """Signed quotes, each verified before it is shown."""
        return steps.run(Buyer(self._store, self._key).offers(self._origin, route), self.http)

    def buy(self, route: str, offer: str, budget: str) -> Bought:
        buyer = Buyer(
            self._store, self._key, Budget.of(budget), wanted=offer, rpc_url=self._rpc_url
        )
        began = time.monotonic()
        grant = steps.run(buyer.acquire(self._origin, route, self._origin), self.http)
        seconds = time.monotonic() - began
        status = self.http.get(f"{self._origin}/apicharge/v1/purchases/{grant.id}").json()
        return Bought(grant, status["transaction"], status["ledger"], seconds)

    def token(self, grant: Grant, seconds: int) -> str:
        """An access token of our own making: nobody is asked."""
        key = Key(bytes.fromhex(grant.access_seed))
        return tokens.derive(grant.token, key, expires_at=int(time.time()) + seconds)

    def left(self, grant: Grant) -> Mapping[str, Any]:
        """What the server says is left of each limit."""
        url = f"{self._origin}/apicharge/v1/grants/{grant.id}"
        answer = self.http.get(url, headers={"apicharge": self.token(grant, 60)})
        answer.raise_for_status()
        usage: Mapping[str, Any] = answer.json()
        return usage

    def download(self, url: str, token: str) -> Received:
        """As many bytes as come, and whether the server ended the body by itself."""
        received, whole = 0, True
        with self.http.stream("GET", url, headers={"apicharge": token}) as answer:
            try:
                for chunk in answer.iter_raw():
                    received += len(chunk)
            except httpx.TransportError:
                whole = False
        announced = int(answer.headers.get("content-length", -1))
        return Received(answer.status_code, announced, received, whole)

    def soroban(self, url: str, token: str) -> SorobanServer:
        """Stellar's own SDK, unmodified: the token is one more header."""
        return SorobanServer(url, RequestsClient(custom_headers={"apicharge": token}))
