import pytest
from apicharge_client import Budget
from apicharge_client.errors import NotAffordable
from apicharge_client.money import nothing, parse, show


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0.00 USDC"), (1, "0.0000001 USDC"), (2_500_000, "0.25 USDC"), (10**9, "100.00 USDC")],
)
def test_amount_is_shown_whole(amount: int, text: str) -> None:
    assert show(amount, "USDC") == text


@pytest.mark.parametrize(
    ("text", "budget"),
    [("USDC:2.5", ("USDC", 25_000_000)), ("EURC:0.0000001", ("EURC", 1)), ("A:0", ("A", 0))],
)
def test_budget_is_read_in_base_units(text: str, budget: tuple[str, int]) -> None:
    assert parse(text) == budget


@pytest.mark.parametrize(
    "text", ["", "USDC", "2.5", ":1", "USDC:", "USDC:x", "USDC:-1", "USDC:NaN", "USDC:Infinity",
             "USDC:0.00000001", "USDC:922337203686", "US DC:1"]
)  # fmt: skip
def test_what_is_no_budget_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a budget"):
        parse(text)


def test_without_a_total_one_purchase_is_all() -> None:
    budget = Budget.of("USDC:1")
    budget.spend("USDC", 6_000_000)
    assert budget.left("USDC") == 4_000_000
    with pytest.raises(NotAffordable, match=r"0\.50 USDC is more than the 0\.40 USDC"):
        budget.spend("USDC", 5_000_000)
    assert budget.spent == {"USDC": 6_000_000}


def test_each_purchase_and_the_total_are_limits() -> None:
    budget = Budget.of("USDC:1", total=("USDC:2.5",))
    with pytest.raises(NotAffordable):
        budget.spend("USDC", 10_000_001)
    for _ in range(2):
        budget.spend("USDC", 10_000_000)
    assert budget.left("USDC") == 5_000_000


def test_asset_without_a_budget_has_none() -> None:
    assert Budget.of("USDC:1").left("EURC") == 0
    assert nothing().left("USDC") == 0
