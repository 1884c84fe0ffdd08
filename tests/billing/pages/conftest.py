import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from django.test import Client

from billing import conf, keys
from billing.domain.errors import BillingError
from billing.models import Purchase
from billing.rails.port import Instruction, Order
from marketplace.models import RouteQuote
from tests.billing.working import BUYER, Shop
from tests.fakes.rail import FakeRail
from tests.marketplace.shop import stall

CHECKOUT = "/checkout/weather/forecast/"


@dataclass
class ChoosyRail(FakeRail):
    """Refuses an instruction as the network's state would have it refused."""

    unwilling: list[BillingError] = field(default_factory=list)

    def instruct(self, order: Order, *, callback: str, now_s: float) -> Instruction:
        if self.unwilling:
            raise self.unwilling[0]
        return super().instruct(order, callback=callback, now_s=now_s)


@dataclass
class Till:
    """A browser at the checkout of one plan; workers are turned by hand."""

    price: RouteQuote
    shop: Shop
    rail: ChoosyRail
    browser: Client

    def digest(self) -> str:
        return str(self.browser.get(CHECKOUT).context["offer"].quote.digest)

    def begin(self, **more: str) -> Purchase:
        form = {"buyer": BUYER.address, "digest": self.digest(), **more}
        answer = self.browser.post(CHECKOUT, form)
        assert answer.status_code == 302, answer.content.decode()
        return Purchase.objects.latest("created_at_s", "pk")

    def paid(self) -> Purchase:
        purchase = self.begin()
        self.shop.authorize(purchase)
        self.shop.turn()
        self.rail.close_ledger()
        self.shop.turn()
        purchase.refresh_from_db()
        assert purchase.state == "granted"
        return purchase


@pytest.fixture
def till(db: None) -> Iterator[Till]:
    rail = ChoosyRail(closed_at_s=int(time.time()))
    shop = Shop(rail)
    with conf.paying_by(rail):
        shop.open()
        keys.ensure_registered()
        yield Till(stall(), shop, rail, Client())
