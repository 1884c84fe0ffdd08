"""Speaking HTTP to billing's endpoints, as a client that only knows protocol.md."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.test import Client

from billing import advancing
from gateway.domain import jws, tokens
from tests.billing.buying import Person


@dataclass(frozen=True, slots=True)
class Said:
    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def problem(self) -> str:
        """The slug of the problem type."""
        assert self.headers["Content-Type"] == "application/problem+json"
        assert self.body["status"] == self.status
        assert self.body["title"]
        assert self.body["detail"]
        return str(self.body["type"]).rpartition("/problems/")[2]


class Api:
    def __init__(self, address: str = "192.0.2.7") -> None:
        self._client = Client(REMOTE_ADDR=address)

    def get(self, path: str, **headers: str) -> Said:
        return _said(self._client.get(_url(path), headers=_headers(headers)))

    def post(self, path: str, body: object, **headers: str) -> Said:
        raw = body if isinstance(body, bytes | str) else json.dumps(body)
        content_type = headers.pop("content_type", "application/json")
        answer = self._client.post(
            _url(path), raw, content_type=content_type, headers=_headers(headers)
        )
        return _said(answer)

    def buy(self, quote: Mapping[str, object], buyer: Person, **more: object) -> Said:
        return self.post("purchases", {"quote": quote, "buyer": buyer.address, **more})

    def authorize(self, instruction: Mapping[str, Any], buyer: Person, **headers: str) -> Said:
        path = f"purchases/{instruction['id']}/authorization"
        return self.post(path, buyer.authorization(dict(instruction)), **headers)


def access_token(granted: str, person: Person, **claims: Any) -> str:
    expires_at = claims.pop("expires_at", int(time.time()) + 50)
    signing_input = tokens.client_signing_input(granted, expires_at=expires_at, **claims)
    return f"{granted}~{jws.assemble(signing_input, person.sign(signing_input))}"


def worked() -> None:
    """What a worker would have done by now."""
    for purchase_id in advancing.due_ids(now_s=time.time() + 60):
        advancing.advance(purchase_id, now_s=time.time() + 60)


def _url(path: str) -> str:
    return path if path.startswith("/") else f"/apicharge/v1/{path}"


def _headers(given: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in given.items()}


def _said(answer: Any) -> Said:
    body = json.loads(answer.content) if answer.content else None
    return Said(answer.status_code, body, answer.headers)
