"""`httpx.Client(auth=ApiChargeAuth(...))`: buys what a 402 asks for, within a budget, and calls.

A gated address is not known as such until its gateway says so: the first call to a new address
goes without a token, the 402 names the route, and from then on the address is remembered. Tokens
are short, derived here, used again until shortly before they end, and sent to the origin they
were bought for and to no other.
"""

from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import httpx

from apicharge_client import gateway as gw
from apicharge_client import tokens
from apicharge_client.buying import Buyer
from apicharge_client.errors import BadDocument
from apicharge_client.keys import Key
from apicharge_client.steps import (
    Ask,
    Forward,
    Steps,
    awaiting,
    blocking,
    buffer,
    forward,
    read,
)
from apicharge_client.store import Grant

TOKEN_SECONDS = 300
CLOCK_ERRORS = ("token_expired", "token_not_yet_valid")
TOKEN_MARGIN_S = 10
"""A token is derived anew when it has less left: the call needs some of it."""


@dataclass(frozen=True, slots=True)
class _Derived:
    token: str
    expires_at: int


class ApiChargeAuth(httpx.Auth):
    """Without a key or a budget it uses the grants it holds, and hands a 402 to the caller."""

    def __init__(self, buyer: Buyer, *, token_seconds: int = TOKEN_SECONDS) -> None:
        self._buyer = buyer
        self._token_seconds = token_seconds
        self._grants: dict[tuple[str, str], Grant] = {}
        self._derived: dict[str, _Derived] = {}
        self._clock_offset_s = 0.0  # What the gateway's clock is ahead of ours.

    def sync_auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        flow = self._flow(request)
        result: httpx.Response | None = None
        try:
            while True:
                step = flow.send(result)
                if isinstance(step, Ask | Forward):
                    result = yield step.request
                    if isinstance(step, Ask):
                        result.read()
                else:
                    result = blocking(step)
        except StopIteration:
            return
        finally:
            flow.close()

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        flow = self._flow(request)
        result: httpx.Response | None = None
        try:
            while True:
                step = flow.send(result)
                if isinstance(step, Ask | Forward):
                    result = yield step.request
                    if isinstance(step, Ask):
                        await result.aread()
                else:
                    result = await awaiting(step)
        except StopIteration:
            return
        finally:
            flow.close()

    def _flow(self, request: httpx.Request) -> Steps[None]:
        origin, path = gw.origin_of(str(request.url)), request.url.path
        grant = self._known(origin, path)
        if grant is None and not isinstance(request.stream, httpx.ByteStream):
            yield from buffer(request)  # It may have to be sent twice.
        response = yield from self._send(request, grant)

        if grant and response.status_code == 401 and gw.error_of(response) in CLOCK_ERRORS:
            self._correct_clock(response)
            self._derived.pop(grant.id, None)
            response = yield from self._send(request, grant)
        if grant and response.status_code == 403:
            self._forget(origin, path, grant)  # The address went over to another route.
            grant = None
            response = yield from self._send(request, None)
        if response.status_code == 402:
            yield from read(response)
            try:
                asked = gw.challenge(response)
            except BadDocument:
                return  # Somebody else's 402: the caller's to understand.
            grant = yield from self._answer_to(asked, origin, path, grant)
            if grant:
                yield from self._send(request, grant)

    def _answer_to(
        self, asked: gw.Challenge, origin: str, path: str, spent: Grant | None
    ) -> Steps[Grant | None]:
        """A grant for what the 402 asks: one that is held or, with a key, a bought one."""
        used_up = spent.id if spent and spent.route == asked.route else ""
        held = self._buyer.store.held(origin, asked.route).ended(used_up)
        grant = held.usable(self._buyer.clock())
        if grant is None and self._buyer.key is None:
            return None
        if grant is None:
            grant = yield from self._buyer.acquire(origin, asked.route, asked.gateway, used_up)
        self._buyer.store.change(origin, asked.route, lambda now: now.ended(used_up).at_path(path))
        self._grants[origin, path] = grant
        return grant

    def _known(self, origin: str, path: str) -> Grant | None:
        now_s = self._buyer.clock()
        grant = self._grants.get((origin, path))
        if grant is None or not grant.usable(now_s):
            held = self._buyer.store.at(origin, path)
            grant = held.usable(now_s) if held else None
            if grant:
                self._grants[origin, path] = grant
        return grant

    def _forget(self, origin: str, path: str, grant: Grant) -> None:
        self._grants.pop((origin, path), None)
        self._buyer.store.change(origin, grant.route, lambda held: held.not_at_path(path))

    def _send(self, request: httpx.Request, grant: Grant | None) -> Steps[httpx.Response]:
        own = request.headers.get("authorization", "")
        if own and not own.lower().startswith("apicharge "):
            name, value = "apicharge", ""  # The caller's own credential is for the upstream.
        else:
            name, value = "authorization", "ApiCharge "
        request.headers.pop(name, None)
        if grant is not None:
            request.headers[name] = value + self._token(grant)
        return (yield from forward(request))

    def _token(self, grant: Grant) -> str:
        now_s = self._buyer.clock() + self._clock_offset_s
        derived = self._derived.get(grant.id)
        if derived is None or derived.expires_at - now_s < TOKEN_MARGIN_S:
            expires_at = int(now_s) + max(self._token_seconds, TOKEN_MARGIN_S)
            key = Key(bytes.fromhex(grant.access_seed))
            derived = _Derived(tokens.derive(grant.token, key, expires_at=expires_at), expires_at)
            self._derived[grant.id] = derived
        return derived.token

    def _correct_clock(self, response: httpx.Response) -> None:
        try:
            then = parsedate_to_datetime(response.headers["date"]).timestamp()
        except (KeyError, ValueError):
            return
        self._clock_offset_s = then - self._buyer.clock()
