import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

Together = Callable[[int, Callable[[], object]], None]


@pytest.fixture
def together() -> Together:
    """Run an act in so many threads, released at the same moment, each on its own connection."""

    def run(count: int, act: Callable[[], object]) -> None:
        barrier = threading.Barrier(count)

        def one() -> None:
            barrier.wait(10)
            try:
                act()
            finally:
                connections.close_all()

        with ThreadPoolExecutor(count) as pool:
            for future in [pool.submit(one) for _ in range(count)]:
                future.result(30)

    return run
