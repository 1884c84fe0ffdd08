from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.floods import Patience, cost_of_late, cost_of_piece


def test_burst_is_borne_and_one_more_is_not() -> None:
    patience = Patience.of(3, 1, now=0)
    assert [patience.bears(0) for _ in range(4)] == [True, True, True, False]


def test_patience_comes_back_with_time() -> None:
    patience = Patience.of(1, 2, now=0)
    assert patience.bears(0)
    assert not patience.bears(0.4)
    assert patience.bears(2)


@given(st.lists(st.floats(0, 10), max_size=200), st.integers(1, 20), st.floats(0.1, 20))
def test_never_more_than_the_burst_and_what_time_brought(
    gaps: list[float], burst: int, per_second: float
) -> None:
    patience, now, borne = Patience.of(burst, per_second, now=0), 0.0, 0
    for gap in gaps:
        now += gap
        borne += patience.bears(now)
    assert borne <= burst + per_second * now + 1e-6


def test_step_back_of_the_clock_brings_nothing() -> None:
    patience = Patience.of(1, 1, now=100)
    assert patience.bears(100)
    assert not patience.bears(0)


def test_pieces_cost_by_their_size_and_less_where_messages_are_small() -> None:
    sizes = (0, 1, 255, 256, 16_384)
    assert [cost_of_piece(size, is_live=False) for size in sizes] == [1, 0.05, 0.05, 0, 0]
    assert [cost_of_piece(size, is_live=True) for size in sizes] == [1, 0.01, 0.01, 0, 0]
    assert [cost_of_late(size) for size in sizes] == [1, 1, 1, 0.25, 0.25]
