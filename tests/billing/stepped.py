"""A network whose ledgers close when the test says so, and a worker with the same clock.

A ledger is five seconds, and none of them is waited for.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from pytest_django.fixtures import Settings

from billing import (
    advancing,
    auditing,
    authorizing,
    channels,
    conf,
    following,
    instructing,
    keys,
    noting,
)
from billing.domain.audit import Intact
from billing.domain.errors import NetworkUnavailable
from billing.domain.purchases import SETTLED
from billing.instructing import Wish
from billing.models import ChainTransaction, Discrepancy, GrantedToken, Payment, Purchase
from billing.rails.port import SignatureOffered
from billing.sandbox.faults import Fault
from gateway.models import GrantLedger
from marketplace import quoting
from tests.billing.buying import PRICE, Person, person, quote_for
from tests.billing.test_purchase_on_sandbox import balance
from tests.sandboxes import RunningSandbox, running_sandbox

LEDGER_S = 5
TURNS_MAX = 100


@dataclass
class SteppedTown:
    sandbox: RunningSandbox
    now_s: float = field(default_factory=time.time)
    sold: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.http = httpx.Client(base_url=self.sandbox.url, timeout=30)

    def step(self, ledgers: int = 1, *, seconds: int = LEDGER_S) -> None:
        said = self.http.post("/ledgers", json={"count": ledgers, "seconds": seconds})
        self.now_s = said.raise_for_status().json()["now"]

    def switch_on(self, fault: Fault, times: int | None = None) -> None:
        said = self.http.put(f"/faults/{fault}", json={} if times is None else {"times": times})
        said.raise_for_status()

    def heal(self) -> None:
        self.http.delete("/faults").raise_for_status()

    def authorized(self, buyer: Person, payee: Person) -> str:
        quote = quote_for(payee.address, expires_at=int(self.now_s) + 600)
        wish = Wish(quote, buyer.address, buyer.key, "192.0.2.0/24")
        purchase = instructing.instruct(wish, now_s=self.now_s)
        signature = buyer.sign(bytes.fromhex(purchase.signing_hash))
        offered = SignatureOffered(buyer.address, signature)
        authorizing.authorize(purchase.pk, offered, now_s=self.now_s)
        self.sold.append(purchase.pk)
        return purchase.pk

    def turn(self) -> None:
        """What the workers do within one ledger, and its close."""
        acts: list[Callable[[], None]] = [self._advance, self._follow, self._advance]
        for act in acts:
            try:
                act()
            except NetworkUnavailable:
                continue  # As a task fails: the row is due again.
        self.step()

    def work(self, purchase_id: str, *, turns: int = TURNS_MAX) -> Purchase:
        for _ in range(turns):
            purchase = Purchase.objects.get(pk=purchase_id)
            if purchase.state in SETTLED:
                return purchase
            self.turn()
        return Purchase.objects.get(pk=purchase_id)

    def assert_paid_once_and_granted_once(self, payee: Person, *, before: int) -> None:
        """Everything sold, to the unit, and nothing else; and the books say the same."""
        for _ in range(2):
            self.turn()
        assert balance(self.sandbox, payee) - before == len(self.sold) * PRICE
        sold = sorted(self.sold)
        paid = Payment.objects.filter(standing="matched").values_list("purchase_ref", flat=True)
        assert sorted(paid) == sold
        assert sorted(GrantedToken.objects.values_list("purchase_id", flat=True)) == sold
        assert sorted(GrantLedger.objects.values_list("pk", flat=True)) == sold
        assert ChainTransaction.objects.filter(state="applied").count() == len(sold)
        assert isinstance(auditing.verify(), Intact)
        noting.look_at_rows(now_s=self.now_s)
        noting.look_at_chain(now_s=self.now_s)
        # What earlier tests bought here is on the chain, and in no table any more.
        assert not Discrepancy.objects.filter(subject__in=self.sold).exists()

    def _advance(self) -> None:
        for purchase_id in advancing.due_ids(now_s=self.now_s):
            advancing.advance(purchase_id, now_s=self.now_s)

    def _follow(self) -> None:
        following.follow(now_s=self.now_s)


@contextmanager
def stepped_sandbox(home: Path) -> Iterator[RunningSandbox]:
    signers = [quoting.signer_public_key()]
    with running_sandbox(home, "--stepped", signers=signers) as sandbox:
        yield sandbox


@contextmanager
def stepped_town(sandbox: RunningSandbox, settings: Settings) -> Iterator[SteppedTown]:
    settings.RPC_URL = sandbox.url
    conf.rail_at.cache_clear()
    town = SteppedTown(sandbox)
    with town.http:
        town.heal()
        town.step()
        channels.ensure(2, now_s=town.now_s)
        keys.ensure_registered()
        yield town


def couple(sandbox: RunningSandbox, name: str) -> tuple[Person, Person]:
    """A buyer and a payee with money."""
    people = (person(f"{name} buyer"), person(f"{name} payee"))
    for somebody in people:
        sandbox.fund(somebody.address, "USDC")
    return people
