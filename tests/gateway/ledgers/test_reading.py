import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.domain.limits import Calls, Data, Direction
from gateway.domain.tokens import Starts
from gateway.journal import Journal, boot_id
from gateway.ledgers.database import DatabaseLedger
from gateway.ledgers.port import Draw, Node
from gateway.ledgers.reading import LastEnd, LimitUsage, usage_of
from gateway.models import GrantLedger, LimiterLedger
from tests.gateway.selling import FAR_FUTURE_S, LONG_AGO_S, sell

NOW_S = LONG_AGO_S + 100.0
CALLS = Calls(100)
SLOT = 16


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path, uuid.uuid4(), boot_id())
    yield journal
    journal.close(remove=True)


def lease_thirty(journal: Journal, boot: str) -> None:
    grant = sell(CALLS)
    node = Node(uuid.UUID(journal.path.stem), boot, "here", journal.path)
    ledger = DatabaseLedger()
    ledger.register(node)
    ledger.transact(node.id, [Draw(SLOT, grant.id, 0, CALLS, None, 0, 0, 30, 0, 0)])
    ledger.close()


def test_a_grant_without_a_ledger_has_no_usage(database: str) -> None:
    assert usage_of("0" * 64, NOW_S) is None


def test_usage_tells_what_is_left_of_each_limit(database: str) -> None:
    down = Data(Direction.DOWN, 1000, window_seconds=60)
    grant = sell(CALLS, down)
    LimiterLedger.objects.filter(index=0).update(used=30)
    LimiterLedger.objects.filter(index=1).update(used=1000)
    usage = usage_of(grant.id, NOW_S)
    assert usage is not None
    assert usage.limits == (
        LimitUsage(CALLS, used=30, left=70, renews_at_s=None),
        LimitUsage(down, used=0, left=1000, renews_at_s=LONG_AGO_S + 120),
    )
    assert (usage.first_used_at_s, usage.ends_at_s, usage.last_end) == (None, FAR_FUTURE_S, None)


def test_what_a_process_of_this_machine_has_not_spent_is_left(
    database: str, journal: Journal
) -> None:
    lease_thirty(journal, boot_id())
    journal.words[SLOT] = 4
    usage = usage_of(f"{1:064x}", NOW_S)
    assert usage is not None
    assert usage.limits == (LimitUsage(CALLS, used=4, left=96, renews_at_s=None),)


def test_what_another_machine_holds_counts_as_used(database: str, journal: Journal) -> None:
    lease_thirty(journal, "11111111-2222-3333-4444-555555555555")
    usage = usage_of(f"{1:064x}", NOW_S)
    assert usage is not None
    assert usage.limits == (LimitUsage(CALLS, used=30, left=70, renews_at_s=None),)


def test_access_and_windows_count_from_the_first_use(database: str) -> None:
    hourly = replace(CALLS, window_seconds=3600)
    grant = sell(hourly, starts=Starts.FIRST_USE, access_seconds=7200)
    GrantLedger.objects.update(
        first_used_at=NOW_S, last_end_reason="expired", last_end_at=NOW_S + 7200
    )
    usage = usage_of(grant.id, NOW_S + 3601)
    assert usage is not None
    assert usage.limits[0].renews_at_s == NOW_S + 7200
    assert usage.ends_at_s == NOW_S + 7200
    assert usage.last_end == LastEnd("expired", NOW_S + 7200)
