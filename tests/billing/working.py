"""A worker of billing that a test turns by hand, with the clock of a fake chain."""

from dataclasses import dataclass, field

from billing import advancing, authorizing, channels, conf, following, instructing
from billing.instructing import Wish
from billing.models import Purchase
from billing.rails.port import SignatureOffered
from tests.billing.buying import Person, person, quote_for
from tests.fakes.rail import CHAIN_STARTS_S, FakeRail

BUYER, PAYEE = person("buyer"), person("payee")


@dataclass
class Shop:
    """One buyer, one provider, a fake chain, and workers with nothing else to do."""

    rail: FakeRail = field(default_factory=FakeRail)
    ahead_s: float = 0.0

    @property
    def now_s(self) -> float:
        return self.rail.closed_at_s + self.ahead_s

    def open(self, *, channel_count: int = 2) -> None:
        channels.ensure(channel_count, now_s=self.now_s)

    def instruct(self, buyer: Person = BUYER, **terms: object) -> Purchase:
        terms = {"expires_at": CHAIN_STARTS_S + 900, **terms}
        wish = Wish(quote_for(PAYEE.address, **terms), buyer.address, buyer.key, "192.0.2.0/24")
        return instructing.instruct(wish, now_s=self.now_s)

    def authorize(self, purchase: Purchase, buyer: Person = BUYER) -> Purchase:
        signature = buyer.sign(bytes.fromhex(purchase.signing_hash))
        offered = SignatureOffered(buyer.address, signature)
        return authorizing.authorize(purchase.pk, offered, now_s=self.now_s)

    def authorized(self, buyer: Person = BUYER, **terms: object) -> Purchase:
        return self.authorize(self.instruct(buyer, **terms), buyer)

    def turn(self, *, seconds: float = 6.0) -> None:
        """Some time passes; then everything that is due is done once, and evidence followed."""
        self.ahead_s += seconds
        with conf.paying_by(self.rail):
            for purchase_id in advancing.due_ids(now_s=self.now_s):
                advancing.advance(purchase_id, now_s=self.now_s)
            following.follow(now_s=self.now_s)
            for purchase_id in advancing.due_ids(now_s=self.now_s):
                advancing.advance(purchase_id, now_s=self.now_s)


def state_of(purchase: Purchase) -> str:
    return str(Purchase.objects.values_list("state", flat=True).get(pk=purchase.pk))
