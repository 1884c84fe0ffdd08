"""A million concurrent acquires by eight processes of one database: none too many, none lost.

The short forms are in tests/gateway/ledgers/test_processes.py.
"""

from contextlib import ExitStack
from pathlib import Path

import pytest

from gateway.domain.limits import Calls
from gateway.models import Lease
from tests.gateway.ledgers.test_processes import (
    Process,
    ask_until_ruled,
    processes,
    served_in,
    total,
)
from tests.gateway.selling import sell, used
from tests.waiting import until

ACQUIRES = 1_000_000
PROCESSES = 8
AT_ONCE = 2_500
"""Of one process. All of one round of all processes are concurrent."""
ROUND = PROCESSES * AT_ONCE
pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]


def test_what_was_sold_is_served_whole_and_not_once_more(database: str, tmp_path: Path) -> None:
    limit = Calls(ACQUIRES * 4 // 5)
    grant = sell(limit)
    answers = []
    with processes(PROCESSES, database, tmp_path) as running:
        for _ in range(ACQUIRES // ROUND):
            answers += ask_until_ruled(running, "at once", limit, AT_ONCE, grant=1)
    assert total(answers, "served") == served_in(tmp_path) == used(grant) == limit.count
    assert total(answers, "refused") == ACQUIRES - limit.count


def test_processes_killed_and_started_meanwhile_serve_none_too_many(
    database: str, tmp_path: Path
) -> None:
    """In each round one process is killed in the middle of its work, and another one started."""
    limit = Calls(ACQUIRES)
    grant = sell(limit)
    rounds = ACQUIRES // ROUND
    with ExitStack() as stack:
        running = stack.enter_context(processes(PROCESSES, database, tmp_path))
        for _ in range(rounds):
            before = served_in(tmp_path)
            for process in running:
                process.tell("at once", limit, AT_ONCE)
            # Not for many: what the last one who was killed had leased is only now given back.
            until(lambda before=before: served_in(tmp_path) > before, seconds=60)
            running[0].kill()
            started = Process(database, tmp_path)
            stack.callback(started.stop)
            for process in running[1:]:
                process.answer()
            started.ready()
            running = [*running[1:], started]
        while not total(ask_until_ruled(running[:1], "at once", limit, AT_ONCE, 1), "refused"):
            pass
    assert not Lease.objects.exists()
    assert used(grant) == limit.count
    # What a killed process had admitted and not yet answered counts as used.
    assert limit.count - rounds * AT_ONCE <= served_in(tmp_path) <= limit.count
