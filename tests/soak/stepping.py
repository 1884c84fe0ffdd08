"""`python -m tests.soak.stepping FILE MODULE ARGUMENT…`: MODULE, with a wall clock that is wrong.

FILE holds the seconds by which it is; whoever writes there steps the clock of the running process.
SQLite's clock, which is the process's own, steps with it. The monotonic clocks do not: that is what
the kernel does when somebody sets the time. Product code knows nothing of this.
"""

import os
import runpy
import sys
import threading
import time
from pathlib import Path
from typing import Any

from django.db.backends.signals import connection_created

UNIX_EPOCH_DAYS = 2_440_587.5
DAY_SECONDS = 86_400.0


def step(file: Path) -> None:
    real = time.time

    def now() -> float:
        return real() + float(file.read_text())

    def julian_day(_when: str) -> float:
        return now() / DAY_SECONDS + UNIX_EPOCH_DAYS

    def install(connection: Any, **_: object) -> None:
        if connection.vendor == "sqlite":
            connection.connection.create_function("julianday", 1, julian_day)

    time.time = now
    time.time_ns = lambda: int(now() * 10**9)
    connection_created.connect(install, weak=False)


if __name__ == "__main__":
    from apicharge_site.tethered import follow

    threading.Thread(target=follow, args=(os.dup(0),), daemon=True).start()
    step(Path(sys.argv[1]))
    sys.argv = sys.argv[2:]
    sys.path.insert(0, str(Path.cwd()))
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
