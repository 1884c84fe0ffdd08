"""Evidence is followed; whom it makes work for is told in the order of haste."""

import pytest

from billing import conf, following, nudging
from billing.models import ChainTransaction
from tests.billing.buying import person
from tests.billing.working import Shop
from tests.fakes.rail import FakeRail


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_who_waits_for_a_channel_is_woken_before_grants_are_made(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Shop(FakeRail())
    told: list[str] = []
    with conf.paying_by(shop.rail):
        shop.open(channel_count=1)
        both = {shop.authorized(person(f"following {name}")).pk for name in "ab"}
        shop.turn()
        paid = ChainTransaction.objects.get().purchase_id
        (waiting,) = both - {paid}
        shop.rail.close_ledger()
        monkeypatch.setattr(nudging, "_send", lambda _task, *args: told.extend(args))
        following.follow(now_s=shop.now_s + 6)
    assert told == [waiting, paid]
