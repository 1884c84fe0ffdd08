import pytest

from billing.domain.shops import P95, p95_words, percent, within_ms
from gateway.domain.chronicle import BUCKETS, LATENCY_MS


@pytest.mark.parametrize(
    ("part", "whole", "words"),
    [(0, 0, "-"), (0, 9, "0 %"), (1, 3, "33 %"), (1, 50, "2.0 %"), (1, 9_000, "< 0.1 %")],
)
def test_percent(part: int, whole: int, words: str) -> None:
    assert percent(part, whole) == words


def test_p95_is_the_bound_within_which_19_of_20_were_answered() -> None:
    latencies = [0] * BUCKETS
    assert p95_words(latencies) == "-"
    latencies[4], latencies[7] = 95, 5
    assert within_ms(latencies, P95) == LATENCY_MS[4]
    latencies[7] = 6
    assert p95_words(latencies) == f"≤ {LATENCY_MS[7]} ms"
    latencies[-1] = 1_000
    assert within_ms(latencies, P95) is None
    assert p95_words(latencies) == "> 30,000 ms"
