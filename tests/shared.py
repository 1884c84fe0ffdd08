"""What all workers of a test run share: made by the first that needs it, gone with the run.

    template = shared.made("template.sqlite3", migrate_into)

The process that begins the run owns the directory; its workers find it by the environment.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

VARIABLE = "APICHARGE_TEST_RUN"
_owned: list[Path] = []


def begin() -> None:
    if VARIABLE not in os.environ:
        _owned.append(Path(tempfile.mkdtemp(prefix="apicharge-tests-")))
        os.environ[VARIABLE] = str(_owned[0])


def end(undo: Callable[[Path], None]) -> None:
    """In the process that began: `undo` what was made in the directory, and remove it."""
    for directory in _owned:
        undo(directory)
        shutil.rmtree(directory, ignore_errors=True)
        del os.environ[VARIABLE]
    _owned.clear()


def made(name: str, make: Callable[[Path], None]) -> Path:
    """The file of that name; `make(path)` writes it once, while the others wait."""
    directory = Path(os.environ[VARIABLE])
    path = directory / name
    with (directory / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            draft = path.with_name(f"draft-{name}")
            make(draft)
            draft.rename(path)
    return path
