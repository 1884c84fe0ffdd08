"""What the gate costs, beside its peers: `python -m benchmarks [--full] [CASE…]`.

Every server alone on one core, the load and the upstream (nginx) on another, all asked in turn;
medians. Absolute figures are the machine's; the ratios are what counts. Needs nginx, wrk, taskset
and two cores. Exits 1 when the gate costs more than is promised of the same proxy without it.
"""

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks import cases, growth
from benchmarks.figures import Case, Growth, Promise, table
from benchmarks.processes import LOAD_CORE, allow_many_files
from benchmarks.subjects import ALL, ENVOY, GATE, LUA, NGINX, PLAIN, absent, subjects

COST_MAX = 0.20
FLAT = 0.9
PEERS = {
    "small": cases.small,
    "idle": cases.idle,  # Before others, whose memory it would find free again.
    "large": cases.large,
    "events": cases.events,
    "sockets": cases.sockets,
}
GROWTH = {
    "routes": growth.routes,
    "sold": growth.grants_sold,
    "used": growth.grants_in_use,
    "limits": growth.limits,
}
PROCESSES = "processes"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    everything = [*PEERS, *GROWTH, PROCESSES]
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(everything)}")
    parser.add_argument("--full", action="store_true", help="longer, and up to 100,000 grants")
    asked = parser.parse_args()
    if unknown := set(asked.cases) - set(everything):
        parser.error(f"no such case: {', '.join(sorted(unknown))}")
    asked.cases = asked.cases or everything
    return asked


def promises(
    small: Case | None, large: Case | None, grown: list[Growth], two: float | None
) -> list[Promise]:
    def of(case: Case | None, reference: str) -> float | None:
        return case.ratio(GATE, reference) if case else None

    bare = of(small, PLAIN)
    cost = None if bare is None else 1 - bare
    held = [
        Promise("the gate's cost, of the same proxy without it", cost, COST_MAX, at_most=True),
        Promise("small GET with the gate, of Envoy without one", of(small, ENVOY), 0.5),
        Promise("small GET with the gate, of nginx+Lua+Redis", of(small, LUA), 0.35),
        Promise("64 MiB body with the gate, of nginx", of(large, NGINX), 0.8),
        Promise("two processes, of one", two, 1.8),
    ]
    flat = [each for each in grown if each.name in {"routes", "grants sold", "grants in use"}]
    held += [Promise(f"flat in {each.name}: what is left", each.kept, FLAT) for each in flat]
    return held


def main() -> None:
    asked = arguments()
    for tool in ("nginx", "wrk", "taskset"):
        if shutil.which(tool) is None:
            sys.exit(f"The benchmark needs {tool}; on Debian: apt-get install {tool}")
    allow_many_files()
    os.sched_setaffinity(0, {int(LOAD_CORE)})
    effort = cases.WHOLE if asked.full else cases.SHORT
    with tempfile.TemporaryDirectory() as directory, subjects(Path(directory)) as (found, gate):
        stage = cases.Stage(found, gate, Path(directory), effort)
        measured = {name: case(stage) for name, case in PEERS.items() if name in asked.cases}
        grown = [case(stage) for name, case in GROWTH.items() if name in asked.cases]
        two = growth.two_processes(stage) if PROCESSES in asked.cases else None
    print(table("one core", ALL, [case for some in measured.values() for case in some]))
    for name, reason in absent().items():
        print(f"{name} is absent: {reason}")
    print(*("", *(each.line() for each in grown)), sep="\n")
    small, large = (measured.get(name, [None])[0] for name in ("small", "large"))
    held = promises(small, large, grown, two)
    print(*("", *(promise.line() for promise in held)), sep="\n")
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    sys.exit(held[0].is_kept is False)


if __name__ == "__main__":
    main()
