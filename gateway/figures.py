"""What this process counts, read together when somebody asks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from gateway.domain.chronicle import LATENCY_S, Line
from gateway.proxy import Gate


class Kind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"


@dataclass(frozen=True, slots=True)
class Figure:
    kind: Kind
    name: str
    about: str
    samples: Sequence[tuple[Sequence[str], float]]
    """Each with the values of `labels`."""
    labels: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Histogram:
    name: str
    about: str
    bounds: Sequence[float | None]
    """Upper ones; None: no bound."""
    counts: Sequence[int]


def figures(gate: Gate) -> Iterator[Figure | Histogram]:
    table, chronicle, leasing = gate.routing.table, gate.chronicle, gate.leasing
    yield _gauge("open_exchanges", "Calls that run.", len(gate.watch))
    yield from _done(chronicle.total)
    yield Figure(
        Kind.COUNTER,
        "undecodable_headers",
        "Headers that are no text and were left out.",
        [(("request",), gate.undecodable), (("answer",), chronicle.undecodable)],
        labels=("of",),
    )
    yield _counter("usage_lines_written", "Lines of usage.", chronicle.written_lines)
    yield _counter("usage_calls_dropped", "Calls in no line.", chronicle.dropped_calls)
    yield _counter("usage_failures", "Times that usage had to wait.", chronicle.failures)
    yield Figure(
        Kind.COUNTER,
        "guarded",
        "Calls that guards refused, by problem type.",
        [((slug,), count) for slug, count in gate.guarding.refused.items()],
        labels=("problem",),
    )
    yield _gauge("guarded_clients", "Clients whose pace is remembered.", gate.guarding.clients)
    yield _gauge("snapshot_version", "Routes in force.", 0 if table is None else table.version)
    yield _gauge("snapshot_fresh", "1: newer ones would be known.", gate.routing.is_fresh())
    yield _counter("snapshots_unreadable", "Did not compile.", gate.source.unreadable)
    yield _counter("snapshot_failures", "The database did not answer.", gate.source.failures)
    yield _gauge("leases", "Of quotas, held by this process.", leasing.leases)
    yield _counter("leases_recalled", "Wanted back by others.", leasing.recalled)
    yield _counter("ledger_failures", "The ledger did not answer.", leasing.failures)
    yield _counter("rate_fallbacks", "Decisions by this node's share.", leasing.rates.fallbacks)
    yield _counter("rate_outages", "Times that Redis went away.", leasing.rates.outages)
    yield from _upstreams(gate)


def _done(total: Line) -> Iterator[Figure | Histogram]:
    yield _counter("calls", "Calls that were admitted, and have ended.", total.calls)
    yield Figure(
        Kind.COUNTER,
        "refused",
        "Calls that were not admitted, by problem type.",
        [((slug,), count) for slug, count in total.refusals.items()],
        labels=("problem",),
    )
    yield Figure(
        Kind.COUNTER,
        "body_bytes",
        "Of requests and of answers.",
        [(("up",), total.bytes_up), (("down",), total.bytes_down)],
        labels=("direction",),
    )
    yield _counter("upstream_failures", "No answer, a broken one, or 5xx.", total.upstream_failures)
    yield Histogram(
        "answer_seconds",
        "From the admission to the beginning of the answer.",
        (*LATENCY_S, None),
        total.latencies,
    )


def _upstreams(gate: Gate) -> Iterator[Figure]:
    known = list(gate.calling.known())
    of = ("service", "upstream")
    yield Figure(
        Kind.GAUGE,
        "upstream_in_use",
        "0: left alone for now, or down by its health check.",
        [((name, url), each.is_closed() and not each.is_down) for name, url, each in known],
        labels=of,
    )
    yield Figure(
        Kind.GAUGE,
        "upstream_running",
        "Calls that run there.",
        [((name, url), each.running) for name, url, each in known],
        labels=of,
    )


def _gauge(name: str, about: str, value: float) -> Figure:
    return Figure(Kind.GAUGE, name, about, [((), value)])


def _counter(name: str, about: str, value: float) -> Figure:
    return Figure(Kind.COUNTER, name, about, [((), value)])
