import pytest

from billing.buyers import buyers_of
from billing.models import Purchase

pytestmark = pytest.mark.django_db


def bought(label: str, buyer: str, at_s: int, **fields: object) -> None:
    values: dict[str, object] = {"route": "a/b", "state": "granted", "amount": 5, "fee": 0}
    values |= {"paid_ledger": 1, "paid_at_s": at_s, "quote": {}, "expires_at_s": at_s}
    Purchase.objects.create(
        id=label * 64, buyer=buyer, created_at_s=at_s, moved_at_s=at_s, **(values | fields)
    )


def test_each_buyer_counts_with_the_last_purchase_that_cost_something() -> None:
    bought("1", "GA", 10)
    bought("2", "GA", 30)
    bought("3", "GB", 20)
    bought("4", "GC", 20, amount=0, paid_ledger=None, paid_at_s=None)
    bought("5", "GD", 20, state="failed")
    bought("6", "GE", 20, route="a/c")
    bought("7", "GF", 20, route="z/z")
    assert buyers_of(["a/b", "a/c"]) == {
        "a/b": {"GA": (30, 2), "GB": (20, 1)},
        "a/c": {"GE": (20, 1)},
    }
    assert buyers_of([]) == {}
