"""A state that was read before is a guess: it saves a look, and decides nothing."""

import pytest

from billing import conf
from billing.domain.purchases import Event, State
from billing.models import AuditEntry
from billing.moving import move
from tests.billing.working import Shop, state_of


@pytest.fixture
def shop(db: None) -> Shop:
    return Shop()


@pytest.mark.parametrize("known", [State.AUTHORIZED, State.GRANTED, State.INSTRUCTED, None])
def test_purchase_moves_from_what_it_is_whatever_was_read_before(
    shop: Shop, known: State | None
) -> None:
    with conf.paying_by(shop.rail):
        purchase = shop.instruct()
    changes = {"authorized_at_s": 1}
    assert move(purchase.pk, Event.AUTHORIZE, now_s=1.0, changes=changes, known=known)
    assert state_of(purchase) == State.AUTHORIZED
    detail = AuditEntry.objects.get(action="purchase.authorize").detail
    assert detail == {"from": "instructed", "to": "authorized"}
    assert not move(purchase.pk, Event.AUTHORIZE, now_s=2.0, changes={}, known=State.INSTRUCTED)
