"""One call to a service's upstreams: chosen, tried, and tried elsewhere where that is safe.

What is known of the destinations is this process's own, kept by service over changes of the table:
each gate finds out for itself. A service with one destination has nothing to choose: it is called,
whatever happened before.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from gateway.domain.balancing import Destination, Outcome, RetryBudget, choose, may_retry
from gateway.domain.clusters import Cluster, HealthCheck
from gateway.domain.errors import GateFault, UpstreamFault
from gateway.domain.exchange import End
from gateway.domain.routes import RouteTable, Timeouts
from gateway.upstream import AnyAnswer, Asked, Body, Upstreams

LOOK_SECONDS = 0.1
WELL_MIN, WELL_MAX = 200, 399
ERROR_MIN = 500
OUTCOMES = {
    End.UPSTREAM_UNREACHABLE: Outcome.UNREACHABLE,
    End.UPSTREAM_DROPPED: Outcome.FAILED,
    End.UPSTREAM_SILENT: Outcome.FAILED,
    End.UPSTREAM_INVALID: Outcome.FAILED,
}
REPEATABLE = frozenset({End.UPSTREAM_UNREACHABLE, End.UPSTREAM_DROPPED})

logger = logging.getLogger(__name__)


class Answered(Protocol):
    @property
    def status(self) -> int: ...


T = TypeVar("T", bound=Answered)
Ask = Callable[[str], Awaitable[T]]
"""One attempt, at the upstream of this URL."""


@dataclass(slots=True)
class _State:
    cluster: Cluster
    destinations: tuple[Destination, ...]
    budget: RetryBudget = field(default_factory=RetryBudget)
    probe_due: float = 0.0


class Calling:
    def __init__(self, upstreams: Upstreams) -> None:
        self.upstreams = upstreams
        self._states: dict[str, _State] = {}

    def send(self, asked: Asked, body: Body | None) -> Awaitable[AnyAnswer]:
        """Until the exchange is over, `asked` counts where it was sent: `asked.leave()`."""
        cluster = asked.cluster
        if len(cluster.places) == 1:
            return self.upstreams.send(cluster.places[0].url, asked, body)
        send = self.upstreams.send
        return self._balanced(asked, lambda url: send(url, asked, body), has_body=body is not None)

    def through(self, asked: Asked, ask: Ask[T]) -> Awaitable[T]:
        """As `send`, by something else than an HTTP request."""
        cluster = asked.cluster
        if len(cluster.places) == 1:
            return ask(cluster.places[0].url)
        return self._balanced(asked, ask, has_body=False)

    async def _balanced(self, asked: Asked, ask: Ask[T], *, has_body: bool) -> T:
        state = self.state(asked.cluster)
        clock = asyncio.get_running_loop().time
        fault = UpstreamFault(End.UPSTREAM_UNREACHABLE, "The API cannot be reached now.")
        cluster, destinations = state.cluster, state.destinations
        tried: list[int] = []
        state.budget.called()
        while True:
            now = clock()
            number = choose(destinations, cluster.way, now, tried)
            if number is None or (tried and not state.budget.takes(now)):
                raise fault
            asked.at = destinations[number]
            try:
                return await self._attempt(asked, cluster.places[number].url, ask)
            except UpstreamFault as exc:
                fault = exc
            asked.leave()
            outcome = OUTCOMES[fault.end] if fault.end in REPEATABLE else Outcome.UNKNOWN
            if not may_retry(outcome, asked.method, has_body=has_body):
                raise fault
            tried.append(number)

    async def _attempt(self, asked: Asked, url: str, ask: Ask[T]) -> T:
        clock = asyncio.get_running_loop().time
        destination = asked.at
        assert destination is not None
        began_at = clock()
        is_trial = destination.begin(began_at)
        outcome = Outcome.UNKNOWN
        try:
            answer = await ask(url)
        except GateFault as exc:
            outcome = OUTCOMES.get(exc.end, Outcome.UNKNOWN)
            raise
        except asyncio.CancelledError:
            # The watch ends what waits too long; whoever else gave up, did so earlier.
            if (clock() - began_at) * 1000 >= asked.timeouts.first_byte_ms:
                outcome = Outcome.FAILED
            raise
        else:
            outcome = Outcome.FAILED if answer.status >= ERROR_MIN else Outcome.SERVED
            return answer
        finally:
            destination.report(outcome, clock(), is_trial=is_trial)

    def state(self, cluster: Cluster) -> _State:
        state = self._states.get(cluster.name)
        if state is not None and state.cluster is cluster:
            return state
        if state is None:
            state = _State(cluster, tuple(Destination(each.weight) for each in cluster.places))
            self._states[cluster.name] = state
        elif state.cluster != cluster:
            known = dict(
                zip((each.url for each in state.cluster.places), state.destinations, strict=True)
            )
            state.destinations = tuple(known.get(p.url) or Destination() for p in cluster.places)
            for destination, place in zip(state.destinations, cluster.places, strict=True):
                destination.weight = place.weight
                if cluster.health is None:
                    destination.is_down = False
        state.cluster = cluster
        return state

    def keep(self, table: RouteTable) -> None:
        """Forget what was known of others, and the clients of former settings."""
        for name in [name for name in self._states if name not in table.services]:
            del self._states[name]
        self.upstreams.keep(table.clients)

    def known(self) -> Iterator[tuple[str, str, Destination]]:
        """Service, upstream, and what is known of it; of services with several."""
        for state in self._states.values():
            for place, destination in zip(state.cluster.places, state.destinations, strict=True):
                yield state.cluster.name, place.url, destination

    async def probe(self, clusters: Callable[[], Sequence[Cluster]]) -> None:
        """Ask destinations how they are, for ever."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            while True:
                for cluster in clusters():
                    health, state = cluster.health, self.state(cluster)
                    if health is not None and loop.time() >= state.probe_due:
                        state.probe_due = loop.time() + health.interval_ms / 1000
                        for number in range(len(cluster.places)):
                            group.create_task(self._probe_one(state, cluster, health, number))
                await asyncio.sleep(LOOK_SECONDS)

    async def _probe_one(
        self, state: _State, cluster: Cluster, health: HealthCheck, number: int
    ) -> None:
        destination = state.destinations[number]
        well = await self._is_well(cluster, health, cluster.places[number].url)
        was_down = destination.is_down
        destination.probed(
            well=well, healthy_after=health.healthy_after, unhealthy_after=health.unhealthy_after
        )
        if destination.is_down is not was_down:
            said = "down" if destination.is_down else "well again"
            logger.warning("Upstream %s of %s is %s.", number + 1, cluster.name, said)

    async def _is_well(self, cluster: Cluster, health: HealthCheck, url: str) -> bool:
        wait_ms = min(health.timeout_ms, health.interval_ms)
        timeouts = Timeouts(connect_ms=wait_ms, first_byte_ms=wait_ms, idle_ms=wait_ms)
        changes, headers = cluster.transform, [("accept", "*/*")]
        asked = Asked(
            cluster,
            timeouts,
            "GET",
            health.path,
            query=changes.query("") if changes else "",
            headers=changes.request(headers, "") if changes else headers,
            awaits_events=False,
        )
        try:
            async with asyncio.timeout(wait_ms / 1000):
                answer = await self.upstreams.send(url, asked, None)
                await answer.close()
                return WELL_MIN <= answer.status <= WELL_MAX
        except (GateFault, TimeoutError):
            return False
        except Exception:  # A bug in one check must not end them all.
            logger.exception("A health check failed by itself.")
            return False
