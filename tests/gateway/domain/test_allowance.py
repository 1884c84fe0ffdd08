import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.allowance import (
    Holding,
    Refused,
    Unavailable,
    Why,
    close,
    give_back,
    policy_header,
    rate_limit_names,
    reserve,
    retry_after_s,
    settle,
    take,
    void,
)
from gateway.domain.limits import Calls, Credits, Data, Direction, Limit

CALLS = Calls(100)
CREDITS = Credits(100, per_call=2, max_per_call=10)
DOWN = Data(Direction.DOWN, 1000)
BOTH = Data(Direction.BOTH, 1000)


def holding(limit: Limit, amount: int, words: dict[int, int], slot: int = 16) -> Holding:
    made = Holding(limit, words)
    made.slot, made.amount = slot, amount
    return made


def test_a_reservation_is_in_the_journal_at_once() -> None:
    words: dict[int, int] = {}
    held = holding(CALLS, 5, words)
    assert reserve([(held, 1)]) == {held: 1}
    assert words == {16: 1}
    assert held.held == 4


def test_a_refusal_by_a_later_limit_takes_nothing_of_the_earlier() -> None:
    words: dict[int, int] = {}
    calls, credit = holding(CALLS, 5, words, 16), holding(CREDITS, 9, words, 17)
    assert reserve([(calls, 1), (credit, 10)]) is None
    assert (calls.held, credit.held, calls.open, words) == (5, 9, 0, {})


def test_a_call_needs_a_unit_left_of_what_it_does_not_reserve() -> None:
    words: dict[int, int] = {}
    calls, data = holding(CALLS, 5, words, 16), holding(DOWN, 0, words, 17)
    assert reserve([(calls, 1)], [data]) is None
    data.amount = 1
    assert reserve([(calls, 1)], [data]) == {calls: 1}


def test_bytes_are_cut_to_what_the_tightest_limit_holds() -> None:
    words: dict[int, int] = {}
    down, both = holding(DOWN, 700, words, 16), holding(BOTH, 300, words, 17)
    taken: dict[Holding, int] = {}
    assert take(taken, [down, both], 500) == 300
    assert take(taken, [down, both], 500) == 0
    assert taken == {down: 300, both: 300}
    assert words == {16: 300, 17: 300}
    assert (down.open, both.open) == (1, 1)


def test_what_no_limit_counts_is_free() -> None:
    assert take({}, [], 65_536) == 65_536


@pytest.mark.parametrize(
    ("real_credits", "calls", "charged"),
    [
        (None, 1, (1, 2)),
        (7, 1, (1, 7)),
        (10, 1, (1, 10)),
        (11, 1, (1, 10)),
        (0, 0, (0, 0)),
        (-3, -1, (0, 0)),
        (5, 9, (1, 5)),
    ],
)
def test_settling_charges_the_real_cost_and_never_more_than_was_reserved(
    real_credits: int | None, calls: int, charged: tuple[int, int]
) -> None:
    words: dict[int, int] = {}
    holdings = [holding(CALLS, 100, words, 16), holding(CREDITS, 100, words, 17)]
    taken = reserve(list(zip(holdings, [1, 10], strict=True)))
    assert taken is not None
    settle(taken, credits=real_credits, calls=calls)
    close(taken)
    assert tuple(each.spent for each in holdings) == charged
    assert tuple(words.values()) == charged
    assert [each.open for each in holdings] == [0, 0]


def test_a_void_exchange_costs_nothing_bytes_included() -> None:
    words: dict[int, int] = {}
    calls, down = holding(CALLS, 5, words, 16), holding(DOWN, 1000, words, 17)
    taken = reserve([(calls, 1)], [down])
    assert taken is not None
    take(taken, [down], 900)
    give_back(taken, down, 100)
    void(taken)
    close(taken)
    assert words == {16: 0, 17: 0}
    assert (calls.open, down.open) == (0, 0)


@given(st.data())
def test_no_order_of_acts_spends_more_than_is_held_nor_forgets_a_unit(data: st.DataObject) -> None:
    words: dict[int, int] = {}
    amounts = [data.draw(st.integers(0, 30)) for _ in range(3)]
    limits: list[Limit] = [CALLS, CREDITS, DOWN]
    holdings = [
        holding(limit, amount, words, 16 + index)
        for index, (limit, amount) in enumerate(zip(limits, amounts, strict=True))
    ]
    going: list[dict[Holding, int]] = []
    for act in data.draw(st.lists(st.sampled_from(["reserve", "take", "settle", "void"]))):
        if act == "reserve":
            taken = reserve(list(zip(holdings, [1, 10], strict=False)), holdings[2:])
            going += [] if taken is None else [taken]
        elif going and act == "take":
            take(going[-1], holdings[2:], data.draw(st.integers(0, 20)))
        elif going and act == "settle":
            settle(going[0], credits=data.draw(st.integers(0, 12)), calls=1)
            close(going.pop(0))
        elif going:
            void(going[0])
            close(going.pop(0))
        for each in holdings:
            under_way = sum(taken.get(each, 0) for taken in going)
            assert under_way <= each.spent <= each.amount
            assert words.get(each.slot, 0) == each.spent
            assert each.open == sum(each in taken for taken in going)


def test_headers_name_each_limit_once_and_its_unit() -> None:
    limits = (Calls(100, 3600), Calls(1000), DOWN, CREDITS)
    assert rate_limit_names(limits) == ("calls", "calls-2", "data-down", "credits")
    assert policy_header(limits) == (
        b'"calls";q=100;w=3600, "calls-2";q=1000, '
        b'"data-down";q=1000;qu="content-bytes", "credits";q=100;qu="credits"'
    )


@pytest.mark.parametrize(
    ("why", "status"),
    [
        (Why.EXHAUSTED, 402),
        (Why.WINDOW_EXHAUSTED, 429),
        (Why.GRANT_EXPIRED, 402),
        (Why.NO_LEDGER, 401),
    ],
)
def test_each_refusal_has_its_status(why: Why, status: int) -> None:
    assert Refused(why).status == status


def test_an_unavailable_ledger_is_503_after_a_second() -> None:
    assert (Unavailable().status, Unavailable().retry_after_s) == (503, 1)


def test_retry_after_is_never_too_early() -> None:
    assert [retry_after_s(wait) for wait in (-1.0, 0.0, 0.2, 1.0, 59.001)] == [1, 1, 1, 1, 60]
