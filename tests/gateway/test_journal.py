import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from gateway.journal import (
    SLOTS_FROM,
    SLOTS_MAX,
    Journal,
    JournalFull,
    boot_id,
    open_dead,
    path_of,
    peek,
)

NODE = uuid.UUID("00000000-0000-4000-8000-000000000001")
OTHER_NODE = uuid.UUID("00000000-0000-4000-8000-000000000002")
THIRD_NODE = uuid.UUID("00000000-0000-4000-8000-000000000003")
BOOT = "11111111-2222-3333-4444-555555555555"
OTHER_BOOT = "11111111-2222-3333-4444-666666666666"
SPENDS_FOR_EVER = """
import sys, uuid
from pathlib import Path
from gateway.journal import Journal
journal = Journal(Path(sys.argv[1]), uuid.UUID(sys.argv[2]), sys.argv[3])
slot = journal.take_slot()
for spent in range(1, 1 << 60):
    journal.words[slot] = spent
    if spent == 100_000:
        print("going", flush=True)
"""


def test_the_boot_id_is_the_kernels() -> None:
    assert uuid.UUID(boot_id())


def test_words_survive_a_killed_process_and_its_lock_does_not(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SPENDS_FOR_EVER, str(tmp_path), str(NODE), BOOT]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"going\n"
        assert open_dead(path_of(tmp_path, NODE), NODE, BOOT) is None
        process.send_signal(signal.SIGKILL)
    journal = open_dead(path_of(tmp_path, NODE), NODE, BOOT)
    assert journal is not None
    assert journal.spent(SLOTS_FROM) >= 100_000
    journal.release(remove=True)
    assert list(tmp_path.iterdir()) == []


def test_only_one_may_settle_a_dead_journal_at_a_time(tmp_path: Path) -> None:
    Journal(tmp_path, NODE, BOOT).close(remove=False)
    first = open_dead(path_of(tmp_path, NODE), NODE, BOOT)
    assert first is not None
    assert open_dead(path_of(tmp_path, NODE), NODE, BOOT) is None
    first.release(remove=False)


@pytest.mark.parametrize(("node", "boot"), [(OTHER_NODE, BOOT), (NODE, OTHER_BOOT)])
def test_a_journal_of_another_node_or_boot_is_not_believed(
    tmp_path: Path, node: uuid.UUID, boot: str
) -> None:
    journal = Journal(tmp_path, NODE, BOOT)
    slot = journal.take_slot()
    assert peek(journal.path, node, boot, slot) is None
    journal.close(remove=False)
    assert open_dead(journal.path, node, boot) is None


def test_a_file_that_is_missing_or_torn_is_not_believed(tmp_path: Path) -> None:
    assert open_dead(path_of(tmp_path, NODE), NODE, BOOT) is None
    assert peek(path_of(tmp_path, NODE), NODE, BOOT, SLOTS_FROM) is None
    path_of(tmp_path, NODE).write_bytes(b"apichrg1")
    assert open_dead(path_of(tmp_path, NODE), NODE, BOOT) is None


def test_a_neighbour_sees_what_a_living_process_spent(tmp_path: Path) -> None:
    journal = Journal(tmp_path, NODE, BOOT)
    slot = journal.take_slot()
    journal.words[slot] = 2**53
    assert peek(journal.path, NODE, BOOT, slot) == 2**53
    journal.close(remove=True)
    assert not journal.path.exists()


def test_a_slot_starts_at_zero_each_time(tmp_path: Path) -> None:
    journal = Journal(tmp_path, NODE, BOOT)
    slot = journal.take_slot()
    journal.words[slot] = 7
    journal.free_slot(slot)
    assert journal.take_slot() == slot
    assert journal.words[slot] == 0
    journal.close(remove=True)


def test_slots_run_out_with_an_error_and_not_into_each_other(tmp_path: Path) -> None:
    journal = Journal(tmp_path, NODE, BOOT)
    assert len({journal.take_slot() for _ in range(SLOTS_MAX)}) == SLOTS_MAX
    with pytest.raises(JournalFull):
        journal.take_slot()
    journal.close(remove=True)


def test_the_file_is_its_owners_alone_and_takes_real_blocks(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journals", NODE, BOOT)
    status = os.stat(journal.path)
    assert status.st_mode & 0o777 == 0o600
    assert status.st_blocks * 512 >= status.st_size
    journal.close(remove=True)


def test_journals_of_former_boots_are_swept_away_after_a_day(tmp_path: Path) -> None:
    for node, boot in [(NODE, OTHER_BOOT), (OTHER_NODE, OTHER_BOOT), (THIRD_NODE, BOOT)]:
        Journal(tmp_path, node, boot).close(remove=False)
    for node in (NODE, THIRD_NODE):
        os.utime(path_of(tmp_path, node), (0, 0))
    Journal(tmp_path, uuid.uuid4(), BOOT).close(remove=True)
    kept = {path_of(tmp_path, OTHER_NODE), path_of(tmp_path, THIRD_NODE)}
    assert set(tmp_path.iterdir()) == kept
