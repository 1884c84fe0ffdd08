from django.db import transaction

from gateway.domain.limits import Calls, Data, Direction
from gateway.domain.tokens import Starts
from gateway.ledgers.opening import open_ledger
from gateway.models import GrantLedger, LimiterLedger
from tests.gateway.selling import make_grant


def test_a_grant_gets_a_row_for_each_limit(database: str) -> None:
    open_ledger(make_grant(Calls(10), Data(Direction.UP, 1000, 60)))
    rows = LimiterLedger.objects.order_by("index")
    assert list(rows.values_list("index", "window", "kind", "limit", "used")) == [
        (0, 0, "calls", 10, 0),
        (1, 0, "data", 1000, 0),
    ]


def test_opening_twice_keeps_what_was_used(database: str) -> None:
    grant = make_grant(Calls(10))
    open_ledger(grant)
    LimiterLedger.objects.update(used=7)
    open_ledger(grant)
    assert LimiterLedger.objects.get().used == 7


def test_only_a_grant_that_starts_with_its_first_use_waits_for_it(database: str) -> None:
    open_ledger(make_grant(Calls(10), number=1))
    open_ledger(make_grant(Calls(10), number=2, starts=Starts.FIRST_USE))
    ledgers = GrantLedger.objects.order_by("grant_id")
    assert list(ledgers.values_list("starts_first_use", "access_seconds")) == [
        (False, None),
        (True, 3600),
    ]


def test_what_is_undone_with_the_callers_transaction_was_never_opened(database: str) -> None:
    with transaction.atomic():
        open_ledger(make_grant(Calls(10)))
        transaction.set_rollback(True)
    assert not GrantLedger.objects.exists()
    assert not LimiterLedger.objects.exists()
