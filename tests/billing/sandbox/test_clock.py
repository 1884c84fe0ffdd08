import asyncio

from billing.sandbox import clock


def test_close_time_is_in_whole_seconds_and_never_goes_back() -> None:
    assert clock.close_time(1000.9, 1000) == 1000
    assert clock.close_time(1001.0, 1000) == 1001
    assert clock.close_time(900.0, 1000) == 1000


async def test_ledgers_close_again_and_again() -> None:
    closed: list[float] = []
    enough = asyncio.Event()

    def close(now_s: float) -> None:
        closed.append(now_s)
        if len(closed) == 3:
            enough.set()

    async with asyncio.TaskGroup() as tasks:
        closing = tasks.create_task(clock.keep_closing(close, 10))
        await asyncio.wait_for(enough.wait(), 10)
        closing.cancel()
    assert closed == sorted(closed)
