"""Random weather over a purchase. The fake chain enforces no nonce, so a second envelope that was
built too early would be a second payment, and be seen here."""

import random
from collections import Counter
from collections.abc import Callable

import pytest

from billing import auditing, conf, reconciling, retracing
from billing.domain.audit import Intact
from billing.domain.discrepancies import Finding
from billing.domain.errors import BillingError, NetworkUnavailable
from billing.domain.payments import Payment
from billing.domain.purchases import ENDS, State
from billing.models import ChainTransaction, GrantedToken, Purchase
from billing.orders import terms_of
from billing.rails.port import Receipt, Refusal, Refused, Sent
from gateway.models import GrantLedger
from tests.billing.working import Shop
from tests.fakes.rail import VALID_FOR_LEDGERS, FakeRail, differing

SEEDS = range(40)
STEPS = 25
RECEIPTS = [Receipt(sent, sent.value) for sent in Sent if sent is not Sent.CHANNEL_POOR]
LATER = Refused(Refusal.LATER, "try-again", "Not now.")


class Weather:
    def __init__(self, shop: Shop, seed: int) -> None:
        self.shop = shop
        self.random = random.Random(seed)
        self.purchases: list[Purchase] = []

    def step(self) -> None:
        acts: list[Callable[[], None]] = [
            self.instruct,
            self.authorize,
            self.turn,
            self.turn,
            self.shop.rail.close_ledger,
            self.shop.rail.close_ledger,
            self.change,
            self.forge,
            lambda: self.shop.rail.pass_ledgers(12),
        ]
        self.random.choice(acts)()

    def instruct(self) -> None:
        if not self.shop.rail.away and len(self.purchases) < 4:
            self.purchases.append(self.shop.instruct(expires_at=2_000_000_000))

    def authorize(self) -> None:
        for purchase in self.purchases:
            try:
                self.shop.authorize(purchase)
            except BillingError:
                continue

    def turn(self) -> None:
        try:
            self.shop.turn(seconds=self.random.choice([0.5, 6, 30]))
        except NetworkUnavailable:
            assert self.shop.rail.away

    def change(self) -> None:
        rail = self.shop.rail
        rail.loses = self.random.random() < 0.3
        rail.away = self.random.random() < 0.2
        rail.receipt = self.random.choice(RECEIPTS)
        rail.fails = LATER if self.random.random() < 0.2 else None
        rail.refuses = LATER if self.random.random() < 0.2 else None

    def forge(self) -> None:
        """A payment that is nobody's: too small, or told with another key."""
        if self.purchases:
            terms = terms_of(self.random.choice(self.purchases))
            changes = self.random.choice([{"amount": 1}, {"access_key": "00" * 32}])
            tx_hash = f"{self.random.getrandbits(256):064x}"
            self.shop.rail.pay(differing(terms, **changes), tx_hash=tx_hash)

    def clear_up(self) -> None:
        rail = self.shop.rail
        rail.loses = rail.away = False
        rail.receipt, rail.fails, rail.refuses = Receipt(Sent.ACCEPTED), None, None
        for _ in range(12):
            self.turn()
            rail.close_ledger()
        rail.pass_ledgers(VALID_FOR_LEDGERS + 1)
        for _ in range(4):
            self.turn()


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_the_weather_paid_is_granted_and_nothing_is_paid_twice(
    db: None, seed: int
) -> None:
    shop = Shop(FakeRail())
    with conf.paying_by(shop.rail):
        shop.open()
        weather = Weather(shop, seed)
        for _ in range(STEPS):
            weather.step()
        weather.clear_up()

        told = [item.terms for item in shop.rail.told if isinstance(item, Payment)]
        for purchase in Purchase.objects.all():
            paid = Counter(told)[terms_of(purchase)]
            assert paid <= 1
            expected = {State.GRANTED} if paid else ENDS
            assert purchase.state in expected
        granted = set(Purchase.objects.filter(state="granted").values_list("pk", flat=True))
        assert set(GrantedToken.objects.values_list("purchase_id", flat=True)) == granted
        assert set(GrantLedger.objects.values_list("pk", flat=True)) == granted
        assert not ChainTransaction.objects.filter(state__in=ChainTransaction.OPEN).exists()
        assert isinstance(auditing.verify(), Intact)
        found = {row.finding for row in reconciling.reconcile(now_s=shop.now_s)}
        assert found <= {Finding.DIFFERS}
        assert list(retracing.retrace()) == []
