"""What is forked is a process like any other."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests import nursery


def test_module_runs_to_its_end() -> None:
    status, said = nursery.run("this", environment={}, seconds=30)
    assert status == 0
    assert said.startswith("The Zen of Python")


def test_status_and_what_was_said_of_a_failure() -> None:
    status, said = nursery.run("manage", "no-such-command", environment={}, seconds=60)
    assert status == 1
    assert "Unknown command" in said


def test_process_that_takes_too_long_is_killed() -> None:
    words = ("timeit", "-n", "1", "-s", "import time", "time.sleep(60)")
    assert nursery.run(*words, environment={}, seconds=0.5)[0] == -signal.SIGKILL


def test_environment_and_session_are_its_own() -> None:
    status, said = nursery.run(
        "timeit",
        *("-n", "1", "-r", "1"),
        "import os; print(os.environ['SAID'], os.getsid(0) == os.getpid(), os.getpgid(0))",
        environment={"SAID": "this"},
        seconds=30,
    )
    assert status == 0
    assert said.startswith("this True ")
    assert int(said.split()[2]) != os.getpgid(0)


def test_standard_input_ends_when_it_is_closed(tmp_path: Path) -> None:
    with (tmp_path / "said").open("wb") as output:
        child = nursery.start("tokenize", environment={}, output=output)  # It reads all of it.
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(0.2)
    child.stdin.write(b"pass\n")
    child.stdin.close()
    assert child.wait(30) == 0
    assert "NAME" in (tmp_path / "said").read_text()


def test_descriptors_are_handed_over_under_their_numbers(tmp_path: Path) -> None:
    """Whatever has that number in the nursery: one is its own socket."""
    reading, writing = os.pipe()
    taken = {int(name) for name in os.listdir("/proc/self/fd")}
    free = [number for number in range(3, 48) if number not in taken]
    for some in (free[begin : begin + 12] for begin in range(0, len(free), 12)):
        for number in some:
            os.dup2(writing, number)
        code = f"import os; [os.write(each, b'+') for each in {some}]"
        with (tmp_path / "said").open("wb") as output:
            words = ("timeit", "-n", "1", "-r", "1", code)
            child = nursery.start(*words, environment={}, output=output, pass_fds=some)
        for number in some:
            os.close(number)
        assert child.wait(30) == 0, (tmp_path / "said").read_text()
        assert os.read(reading, 100) == b"+" * len(some)
    os.close(writing)
    os.close(reading)


def test_signal_ends_it(tmp_path: Path) -> None:
    with (tmp_path / "said").open("wb") as output:
        child = nursery.start("tokenize", environment={}, output=output)
    child.terminate()
    assert child.wait(30) == -signal.SIGTERM
    assert child.poll() == -signal.SIGTERM
