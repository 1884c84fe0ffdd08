"""From a quote to a grant: instruct, check, sign, authorize, wait.

Once a signature has left, the purchase is either known to have ended or it is still under way:
it is taken up again where it was, and nothing else is bought meanwhile.
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import httpx

from apicharge_client import gateway as gw
from apicharge_client import pins, quotes, receipts, tokens
from apicharge_client.checking import Instruction, Order, check
from apicharge_client.documents import Document, encode
from apicharge_client.errors import KeyProblem, NotTrusted, PurchaseEnded, PurchasePending
from apicharge_client.keys import Key
from apicharge_client.money import Budget, nothing
from apicharge_client.quotes import Quote
from apicharge_client.steps import Steps, pause
from apicharge_client.store import Grant, Held, Pending, Store

ENDS = ("expired", "rejected", "failed")
GIVE_UP_AFTER_S = 120
POLL_S = 0.5
LOCK_POLL_S = 0.1
AFTERLIFE_S = 120
"""How long after its quote's end a purchase that the gateway does not know is still asked for."""


@dataclass(slots=True)
class Buyer:
    """Who buys, with what, and what it takes for granted. Without a key it uses what it holds."""

    store: Store
    key: Key | None = None
    budget: Budget = field(default_factory=nothing)
    wanted: str = ""  # an offer's name or digest
    expected: pins.Expected = field(default_factory=pins.Expected)
    rpc_url: str = ""
    clock: Callable[[], float] = time.time

    def offers(self, gateway: str, route: str = "") -> Steps[list[Quote]]:
        """Every quote, verified against the pin; the first time makes the pin."""
        document = yield from gw.quotes(gateway, route)
        pin = self._pin(gateway, document)
        offers = [quotes.parse(quote) for quote in document.objects("quotes")]
        if route:
            offers = [quote for quote in offers if quote.route == route]
        for quote in offers:
            quotes.verify(quote, pin)
        return offers

    def acquire(self, origin: str, route: str, gateway: str, spent: str = "") -> Steps[Grant]:
        """A usable grant: one that is held, one under way, or a new one. One buyer at a time."""
        deadline = self.clock() + GIVE_UP_AFTER_S
        while True:
            with self.store.lock(origin, route) as mine:
                if mine:
                    return (yield from self._acquire(origin, route, gateway, spent))
            if self.clock() > deadline:
                raise PurchasePending("Another process has been buying this for two minutes.")
            yield from pause(LOCK_POLL_S)

    def _acquire(self, origin: str, route: str, gateway: str, spent: str) -> Steps[Grant]:
        held = self.store.change(
            origin, route, lambda held: replace(held.ended(spent), gateway=gateway)
        )
        if grant := held.usable(self.clock()):
            return grant
        if held.pending and (grant := (yield from self._resume(held, held.pending))):
            return grant
        return (yield from self._buy(held))

    def _buy(self, held: Held) -> Steps[Grant]:
        if self.key is None:
            raise KeyProblem("Buying needs the buyer key.")
        offers = yield from self.offers(held.gateway, held.route)
        quote = quotes.choose(offers, self.budget, now_s=self.clock(), wanted=self.wanted)
        access = self.key.access_key(held.gateway, held.route)
        pin = self.store.pin(held.gateway)
        assert pin is not None
        order = Order(quote, pin, self.key.address, access.public)
        instruction = yield from self._instruct(held.gateway, order)
        ledger = instruction.latest_ledger
        if self.rpc_url and quote.amount:
            ledger = yield from gw.latest_ledger(self.rpc_url)
        to_sign = check(instruction, order, ledger)
        if quote.amount:
            self.budget.spend(quote.asset, quote.amount)
        pending = Pending(
            id=instruction.id.hex(),
            gateway=held.gateway,
            quote=dict(quote.document.members),
            buyer=self.key.address,
            signature=encode(self.key.sign(to_sign)),
            access_seed=access.seed.hex(),
            signed_at=int(self.clock()),
        )
        self.store.change(held.origin, held.route, lambda now: now.waiting(pending))
        return (yield from self._authorize(held, pending))

    def _instruct(self, gateway: str, order: Order) -> Steps[Instruction]:
        body = {
            "quote": dict(order.quote.document.members),
            "buyer": order.buyer,
            "access_key": encode(order.access_key),
        }
        headers = {"Idempotency-Key": secrets.token_hex(16)}
        response = yield from gw.post(gw.api(gateway, "purchases"), body, headers)
        return Instruction.parse(gw.read(response, "The purchase instruction"))

    def _authorize(self, held: Held, pending: Pending) -> Steps[Grant]:
        """Hand in the signature until its outcome is told: the same one is the same purchase."""
        deadline = self.clock() + GIVE_UP_AFTER_S
        while True:
            response = yield from self._hand_in(held, pending)
            if response.is_success:
                status = Document.parse(response.content, "The purchase")
                if grant := (yield from self._outcome(held, pending, status)):
                    return grant
            if self.clock() > deadline:
                raise PurchasePending(
                    f"The purchase {pending.id} is under way.",
                    "Run the same again later: it is taken up where it was, and not paid twice.",
                )
            yield from pause(POLL_S)

    def _hand_in(self, held: Held, pending: Pending) -> Steps[httpx.Response]:
        """A success, or what may heal. A purchase that takes no signature any more tells why."""
        url = gw.api(pending.gateway, f"purchases/{pending.id}")
        body = {"signer": pending.buyer, "signature": pending.signature}
        wait = {"Prefer": f"wait={gw.WAIT_SECONDS}"}
        response = yield from gw.post(f"{url}/authorization", body, wait)
        if response.status_code == 409:
            return (yield from gw.get(url))
        if response.status_code == 422:
            self.store.change(held.origin, held.route, Held.settled)  # Nothing was stored there.
        if 400 <= response.status_code < 500 and response.status_code != 429:
            raise gw.problem(response)
        return response

    def _outcome(self, held: Held, pending: Pending, status: Document) -> Steps[Grant | None]:
        state = status.text("status")
        if state == "granted":
            grant = self._grant(pending, status.text("granted_access_token"))
            self.store.change(held.origin, held.route, lambda now: now.granted(grant))
            yield from self._check_receipt(pending, grant)
            return grant
        if state in ENDS:
            self.store.change(held.origin, held.route, Held.settled)
            raise PurchaseEnded(f"The purchase ended: {state}. {_why(status)}".strip())
        return None

    def _resume(self, held: Held, pending: Pending) -> Steps[Grant | None]:
        """What became of a purchase whose outcome was not seen."""
        response = yield from gw.get(gw.api(pending.gateway, f"purchases/{pending.id}"))
        if response.status_code == 404:
            return (yield from self._recover(held, pending))
        status = gw.read(response, "The purchase")
        if status.text("status") in ENDS:
            self.store.change(held.origin, held.route, Held.settled)
            return None
        if grant := (yield from self._outcome(held, pending, status)):
            return grant
        return (yield from self._authorize(held, pending))

    def _recover(self, held: Held, pending: Pending) -> Steps[Grant | None]:
        """The gateway lost the purchase: the saved quote shows it what was paid for."""
        url = gw.api(pending.gateway, f"purchases/{pending.id}/recover")
        response = yield from gw.post(url, {"quote": pending.quote})
        if response.is_success:
            status = Document.parse(response.content, "The purchase")
            return (yield from self._outcome(held, pending, status))
        if self.clock() < pending.quote_expires_at + AFTERLIFE_S:
            raise PurchasePending(
                f"The gateway does not know the purchase {pending.id}, which was signed.",
                "It can be paid until its quote expires; nothing else is bought until then.",
            ) from gw.problem(response)
        self.store.change(held.origin, held.route, Held.settled)
        return None

    def _check_receipt(self, pending: Pending, grant: Grant) -> Steps[None]:
        """With a node of one's own: that the chain tells of the payment that was agreed."""
        quote = quotes.parse(Document.of(pending.quote, "the quote"))
        pin = self.store.pin(pending.gateway)
        if not self.rpc_url or not quote.amount or pin is None:
            return
        transaction = tokens.claims_of(grant.token).object("pay").text("tx")
        events = yield from gw.events_of(self.rpc_url, transaction)
        if events is not None:
            access = Key(bytes.fromhex(pending.access_seed))
            order = Order(quote, pin, pending.buyer, access.public)
            receipts.check(events, order, bytes.fromhex(pending.id))

    def _grant(self, pending: Pending, token: str) -> Grant:
        quote = quotes.parse(Document.of(pending.quote, "the quote"))
        access = Key(bytes.fromhex(pending.access_seed))
        claims = tokens.claims_of(token)
        _compare(claims, quote, pending, access)
        return Grant(
            id=pending.id,
            route=quote.route,
            name=quote.name,
            price=quote.price,
            token=token,
            access_seed=pending.access_seed,
            expires_at=claims.integer("exp"),
            bought_at=int(self.clock()),
        )

    def _pin(self, gateway: str, document: Document) -> pins.Pin:
        known = self.store.pin(gateway)
        if known is None:
            pin = pins.first_seen(document, self.expected)
        else:
            pin = pins.matched(known, document, self.expected)
        if pin != known:
            self.store.keep_pin(gateway, pin)
        return pin


def _compare(claims: Document, quote: Quote, pending: Pending, access: Key) -> None:
    """What was granted is what was bought, for the key that bought it."""
    sold = ("route", "limits", "starts", "charge", "adjustable", "meter")
    expected = {name: pending.quote[name] for name in sold} | {
        "jti": pending.id,
        "sub": pending.buyer,
        "quote": quote.digest.hex(),
        "cnf": {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": encode(access.public)}},
    }
    wrong = [name for name, value in expected.items() if claims.members.get(name) != value]
    if claims.integer("exp") - claims.integer("nbf") < quote.access_seconds:
        wrong.append("exp")
    if quote.starts == "first_use" and claims.integer("access_seconds") != quote.access_seconds:
        wrong.append("access_seconds")
    if wrong:
        raise NotTrusted(
            f"The grant's {wrong[0]} is not what was bought.",
            "The purchase is kept; ask the gateway's operator to put it right.",
        )


def _why(status: Document) -> str:
    problem = status.members.get("problem")
    if isinstance(problem, dict):
        return str(problem.get("detail") or problem.get("title") or "")
    return str(problem or "")
