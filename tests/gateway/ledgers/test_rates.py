"""One process counts; the others say so, and take over when it ends."""

import asyncio
from pathlib import Path

from gateway.domain.allowance import Unavailable
from gateway.domain.limits import Calls, Concurrency, Limit, Rate
from gateway.ledgers.rates import LocalRates, Standing
from gateway.ledgers.sole import FileLock

NOW_S = 1_790_000_000.0
LIMITS: list[Limit] = [Calls(10), Rate(2, 10), Concurrency(1)]


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def standing_of(rates: LocalRates, limits: list[Limit]) -> Standing:
    standing = rates.standing("0" * 64, limits)
    assert standing is not None
    return standing


def test_a_grant_with_quotas_only_has_none() -> None:
    assert LocalRates().standing("0" * 64, [Calls(10)]) is None


def test_a_standing_is_kept_until_it_is_as_good_as_new() -> None:
    clock = Clock()
    standing = standing_of(LocalRates(clock=clock), LIMITS)
    assert standing.is_idle()
    standing.take()
    assert not standing.is_idle()
    standing.release()
    assert not standing.is_idle()
    clock.now += 10
    assert standing.is_idle()


def test_looking_takes_nothing() -> None:
    standing = standing_of(LocalRates(clock=Clock()), LIMITS)
    for _ in range(5):
        assert standing.refusal(NOW_S) is None
    standing.take()
    refused = standing.refusal(NOW_S)
    assert refused is not None
    assert refused.status == 429


async def test_of_several_processes_one_counts_and_the_next_takes_over(tmp_path: Path) -> None:
    first, second = (LocalRates(FileLock(tmp_path / "rates")) for _ in range(2))
    await first.start()
    await second.start()
    assert (first.is_sole, second.is_sole) == (True, False)
    assert isinstance(standing_of(second, LIMITS).refusal(NOW_S), Unavailable)
    assert standing_of(first, LIMITS).refusal(NOW_S) is None
    await first.stop()
    async with asyncio.timeout(5):
        while not second.is_sole:  # noqa: ASYNC110 - it looks once a second
            await asyncio.sleep(0.05)
    assert standing_of(second, LIMITS).refusal(NOW_S) is None
    await second.stop()
