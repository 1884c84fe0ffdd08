import pytest

from marketplace.cards import show_count, show_latency, show_share
from marketplace.models.standing import UNKNOWN_MS


@pytest.mark.parametrize(
    ("share", "shown"),
    [(None, None), (10_000, "100 %"), (9_999, "99.99 %"), (9_950, "99.5 %"), (0, "0 %")],
)
def test_share_is_shown_as_it_is(share: int | None, shown: str | None) -> None:
    assert show_share(share) == shown


@pytest.mark.parametrize(
    ("median", "shown"),
    [(UNKNOWN_MS, None), (1, "1 ms"), (2_500, "2.5 s"), (30_000, "30 s"), (60_000, "> 30 s")],
)
def test_latency_is_a_bound(median: int, shown: str | None) -> None:
    assert show_latency(median) == shown


def test_few_are_not_counted() -> None:
    assert show_count(99) == "fewer than 100"
    assert show_count(1_234) == "1,234"
