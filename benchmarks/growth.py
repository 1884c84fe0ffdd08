"""What a gated call costs as more is sold, and what a second process adds."""

import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from benchmarks import loads
from benchmarks.cases import WARM_UP_SECONDS, Stage
from benchmarks.figures import Growth
from benchmarks.processes import CORES, LOAD_CORE, PROXY_CORE, free_port, processor_seconds
from benchmarks.subjects import GATE, Subject

PUBLISHED_SECONDS = 1.0
"""Until every gate has what was published; promised, and tested elsewhere."""
LIMITS = (1, 3, 8)
OWN_CORES = 4
"""Two for the processes under test, two for what loads them."""


def routes(stage: Stage) -> Growth:
    gate = stage.subjects[GATE]
    rounds: dict[int, list[float]] = {count: [] for count in stage.effort.routes}
    for _ in range(stage.effort.rounds):
        for count in stage.effort.routes:
            stage.gate.publish(routes=count)
            time.sleep(PUBLISHED_SECONDS)
            rounds[count].append(loads.requests_per_second(gate, stage.effort.seconds))
    stage.gate.publish(routes=1)
    return _grown("routes", rounds)


def grants_sold(stage: Stage) -> Growth:
    """One is in use, the others have their rows and rest."""
    gate = stage.subjects[GATE]
    rounds: dict[int, list[float]] = {}
    for count in stage.effort.grants:
        stage.gate.tokens(count)
        rounds[count] = [
            loads.requests_per_second(gate, stage.effort.seconds)
            for _ in range(stage.effort.rounds)
        ]
    return _grown("grants sold", rounds)


def grants_in_use(stage: Stage) -> Growth:
    """Each request with the next grant's token."""
    tokens = {count: stage.gate.tokens(count) for count in reversed(stage.effort.grants)}
    return _by_tokens(stage, "grants in use", dict(sorted(tokens.items())))


def limits(stage: Stage) -> Growth:
    tokens = {count: [stage.gate.sell(limits=count)] for count in LIMITS}
    return _by_tokens(stage, "limits per grant", tokens)


def _by_tokens(stage: Stage, name: str, tokens: dict[int, list[str]]) -> Growth:
    gate, seconds = stage.subjects[GATE], stage.effort.seconds
    rounds: dict[int, list[float]] = {count: [] for count in tokens}
    for some in tokens.values():
        loads.in_turn_per_second(gate, some, stage.home, WARM_UP_SECONDS)
    for _ in range(stage.effort.rounds):
        for count, some in tokens.items():
            rate = loads.in_turn_per_second(gate, some, stage.home, seconds)
            rounds[count].append(rate)
    return _grown(name, rounds)


def _grown(name: str, rounds: dict[int, list[float]]) -> Growth:
    return Growth(name, {count: statistics.median(each) for count, each in rounds.items()})


def two_processes(stage: Stage) -> float:
    """How many times as much two processes of one database do as one.

    Where there are cores enough, by what they answer; else by the processor time that one call
    costs with one of them at work and with both, in turn on the same core.
    """
    own_cores = len(CORES) >= OWN_CORES
    second_core = str(CORES[2]) if own_cores else PROXY_CORE
    gate, port = stage.subjects[GATE], free_port()
    with ExitStack() as stack:
        process = stack.enter_context(stage.gate.serving(second_core, port))
        other = Subject(GATE, process, stage.gate.base_at(port), gate.token)
        load_cores = (LOAD_CORE, str(CORES[3]) if own_cores else LOAD_CORE)
        both = list(zip((gate, other), load_cores, strict=True))
        _at_work(both, WARM_UP_SECONDS)
        factors = []
        for _ in range(stage.effort.rounds):
            rate_one, cost_one = _at_work(both[:1], stage.effort.seconds)
            rate_two, cost_two = _at_work(both, stage.effort.seconds)
            factors.append(rate_two / rate_one if own_cores else 2 * cost_one / cost_two)
    return statistics.median(factors)


def _at_work(subjects: Sequence[tuple[Subject, str]], seconds: int) -> tuple[float, float]:
    """Requests per second of all together, and processor seconds a request."""
    before = sum(processor_seconds(one.process.pid) for one, _ in subjects)
    with ThreadPoolExecutor(len(subjects)) as threads:
        rates = threads.map(
            lambda pair: loads.requests_per_second(pair[0], seconds, core=pair[1]), subjects
        )
        rate = sum(rates)
    spent = sum(processor_seconds(one.process.pid) for one, _ in subjects) - before
    return rate, spent / (rate * seconds)
