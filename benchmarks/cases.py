"""The cases of the benchmark: what is asked of whom, in which rounds."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from benchmarks import live, loads
from benchmarks.figures import Case
from benchmarks.gate import Gate
from benchmarks.subjects import ENVOY, GATE, NGINX, PLAIN, Subject

WARM_UP_SECONDS = 3
LIVE = (NGINX, ENVOY, PLAIN, GATE)
"""Who streams events."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Effort:
    rounds: int
    seconds: int
    routes: tuple[int, ...]
    grants: tuple[int, ...]
    streams: int = 1000


SHORT = Effort(rounds=3, seconds=3, routes=(10, 1_000), grants=(1, 1_000))
WHOLE = Effort(rounds=5, seconds=4, routes=(10, 100, 1_000, 10_000), grants=(1, 1_000, 100_000))


@dataclass(frozen=True, slots=True)
class Stage:
    """Who is there, and how long may it take."""

    subjects: Mapping[str, Subject]
    gate: Gate
    home: Path
    effort: Effort

    def some(self, names: Iterable[str]) -> list[Subject]:
        return [self.subjects[name] for name in names if name in self.subjects]


def in_turn(
    stage: Stage, subjects: Iterable[Subject], measure: Callable[[Subject], float]
) -> dict[str, list[float]]:
    """Round by round, so that what else the machine does falls on all alike."""
    rounds: dict[str, list[float]] = {subject.name: [] for subject in subjects}
    for _ in range(stage.effort.rounds):
        for subject in subjects:
            rounds[subject.name].append(measure(subject))
    return rounds


def small(stage: Stage) -> list[Case]:
    seconds = stage.effort.seconds
    everybody = list(stage.subjects.values())
    for subject in everybody:
        loads.requests_per_second(subject, WARM_UP_SECONDS)
    rounds = in_turn(stage, everybody, lambda one: loads.requests_per_second(one, seconds))
    return [Case("small GET", "req/s", rounds)]


def large(stage: Stage) -> list[Case]:
    seconds = stage.effort.seconds
    everybody = list(stage.subjects.values())
    rounds = in_turn(stage, everybody, lambda one: loads.mebibytes_per_second(one, seconds))
    return [Case("64 MiB body", "MiB/s", rounds)]


def _run(measuring: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(measuring)


def events(stage: Stage) -> list[Case]:
    count, seconds = stage.effort.streams, stage.effort.seconds
    each: dict[str, list[float]] = {}
    late: dict[str, list[float]] = {}
    for subject in stage.some(LIVE):
        measured = _run(live.events(subject, count, seconds))
        each[subject.name], late[subject.name] = [measured.each_us], [measured.late_ms]
    return [
        Case(f"{count:,} SSE streams", "CPU µs/event", each, digits=1),
        Case(f"{count:,} SSE streams", "p99 ms", late, digits=1),
    ]


def sockets(stage: Stage) -> list[Case]:
    count, seconds = stage.effort.streams, stage.effort.seconds
    subjects = stage.some((NGINX, ENVOY, GATE))
    measured = {subject.name: _run(live.echoes(subject, count, seconds)) for subject in subjects}
    each = {name: [figure.each_us] for name, figure in measured.items()}
    rate = {name: [figure.per_second] for name, figure in measured.items()}
    return [
        Case(f"{count:,} WebSocket echoes", "CPU µs/msg", each, digits=1),
        Case(f"{count:,} WebSocket echoes", "msg/s", rate),
    ]


def idle(stage: Stage) -> list[Case]:
    count = stage.effort.streams
    rounds = {
        subject.name: [_run(live.kib_per_idle_stream(subject, count))]
        for subject in stage.some(LIVE)
    }
    return [Case("idle stream", "KiB", rounds, digits=1)]
