"""`python -m tests.soak.killing PLAN MODULE ARGUMENT…`: MODULE, killed at one step of a row's life.

PLAN is `TABLE VALUE MOMENT`: the first statement that writes VALUE into TABLE ends the process with
SIGKILL, either `before` its transaction commits or `after`. Product code knows nothing of this.
"""

import os
import runpy
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Plan:
    def __init__(self, table: str, value: str, moment: str) -> None:
        self._table, self._value, self._moment = table, value, moment

    def __call__(
        self,
        execute: Callable[..., object],
        sql: str,
        params: Sequence[object] | None,
        many: bool,
        context: dict[str, Any],
    ) -> object:
        result = execute(sql, params, many, context)
        if self._matches(sql, params):
            connection: BaseDatabaseWrapper = context["connection"]
            if self._moment == "before":
                die()
            connection.on_commit(die)
        return result

    def _matches(self, sql: str, params: Sequence[object] | None) -> bool:
        writes = sql.startswith((f'UPDATE "{self._table}"', f'INSERT INTO "{self._table}"'))
        # The value is set, not only asked for: what comes after WHERE does not count.
        setting = sql.partition(" WHERE ")[0].count("%s")
        return writes and self._value in list(params or ())[:setting]


def watch(plan: Plan) -> None:
    def install(connection: BaseDatabaseWrapper, **_: object) -> None:
        connection.execute_wrappers.append(plan)

    connection_created.connect(install, weak=False)


if __name__ == "__main__":
    from apicharge_site.tethered import follow

    threading.Thread(target=follow, args=(os.dup(0),), daemon=True).start()
    words = sys.argv[1].split()
    watch(Plan(*words))
    sys.argv = sys.argv[2:]
    sys.path.insert(0, str(Path.cwd()))
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
