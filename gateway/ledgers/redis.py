"""Refilling limits in Redis, for all nodes together: one script each, by the server's own clock.

Calls that arrive while a script runs go into the next one together, and a bandwidth is drawn in
time slices, so a busy grant costs some dozen scripts a second and node, whatever its traffic.
Nobody waits for Redis longer than its timeout, and after one failure nobody waits at all until it
answers again: meanwhile every node serves its fair share, as many nodes as it last knew of. What
Redis forgot (a flush, a restart) is told by our own name missing in it: then too it is fair shares
until every node has said again what runs.
"""

import asyncio
import logging
import uuid
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from pathlib import Path

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from gateway.domain.limits import Limit, is_refilling
from gateway.ledgers.rates import Standing, boottime
from gateway.ledgers.turnstiles import RedisStanding

TIMEOUT_S = 0.25
BEAT_S = 0.5
NODE_LIFE_MS = 4_000
SAY_AGAIN_BEATS = 4  # So often all nodes say what runs on them; see turnstiles.LIFE_MS.
SETTLE_S = 2 * BEAT_S + 0.5  # After an outage: until every node has said what runs on it.
PREFIX = "apicharge:rates"
SCRIPTS = ("rate", "concurrency", "bandwidth", "nodes")

logger = logging.getLogger(__name__)


class RedisRates:
    def __init__(self, url: str, clock: Callable[[], float] = boottime) -> None:
        self.node = uuid.uuid4().hex
        self.clock = clock
        self.nodes, self.rank = 1, 0  # As last known.
        self.fallbacks = 0  # Decisions that this node made by its share.
        self.outages = 0
        self._url = url
        self._trusted_at = float("inf")
        self._is_up = False
        self._has_beaten = False
        self._standings: dict[int, RedisStanding] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._heart: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    def standing(self, grant_id: str, limits: Sequence[Limit]) -> Standing | None:
        if not any(map(is_refilling, limits)):
            return None
        return RedisStanding(grant_id, limits, self)

    @property
    def is_trusted(self) -> bool:
        return self._is_up and self.clock() >= self._trusted_at

    def share(self, units: int) -> int:
        """This node's part: those of all nodes are `units` together."""
        return units * (self.rank + 1) // self.nodes - units * self.rank // self.nodes

    async def start(self) -> None:
        """A Redis that is not there does not stop a node: it serves its share."""
        self._redis = Redis.from_url(
            self._url,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
        )
        folder = Path(__file__).parent / "lua"
        self._scripts = {
            name: self._redis.register_script((folder / f"{name}.lua").read_text())
            for name in SCRIPTS
        }
        self._loop = asyncio.get_running_loop()
        await self._beat()
        self._trusted_at = self.clock() if self._is_up else self._trusted_at
        self._heart = self._loop.create_task(self._keep_beating())

    async def stop(self) -> None:
        self._stopping.set()
        if self._heart is not None:
            await asyncio.gather(self._heart, *self._tasks, return_exceptions=True)
        await self.call("nodes", PREFIX, self.node, NODE_LIFE_MS, 1)
        await self._redis.aclose()

    async def call(self, script: str, key: str, *arguments: str | int) -> list[int] | None:
        """None: Redis did not answer in time."""
        try:
            async with asyncio.timeout(2 * TIMEOUT_S):
                answer = await self._scripts[script](keys=[key], args=arguments)
        except (RedisError, OSError, TimeoutError) as exc:
            self._failed(exc)
            return None
        return [int(number) for number in answer] if isinstance(answer, list) else [int(answer)]

    async def ask(self, script: str, key: str, *arguments: str | int) -> list[int] | None:
        """As `call`, for a decision; None: decide by this node's share."""
        answer = None
        if self.is_trusted:
            answer = await self.call(script, f"{PREFIX}:{key}", *arguments)
        if answer is None:
            self.fallbacks += 1
        return answer

    async def tell(self, script: str, key: str, *arguments: str | int) -> list[int] | None:
        """As `call`, also while it is not trusted yet."""
        return await self.call(script, f"{PREFIX}:{key}", *arguments) if self._is_up else None

    def spawn(self, work: Coroutine[object, object, None]) -> None:
        """Beside whoever waits for it: he may leave, and a command is never broken off."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def running(self, standing: RedisStanding, *, is_open: bool) -> None:
        if is_open:
            self._standings[id(standing)] = standing
        else:
            self._standings.pop(id(standing), None)

    def _failed(self, exc: BaseException) -> None:
        if self._is_up:
            self.outages += 1
            logger.warning(
                "Redis does not answer (%s): rates are by this node's share, 1 of %d.",
                type(exc).__name__,
                self.nodes,
            )
        self._is_up = False
        self._trusted_at = float("inf")

    async def _keep_beating(self) -> None:
        """Told to stop, not cancelled: a command in which that is lost would go on for ever."""
        beats = 0
        while not await self._stops_within(BEAT_S):
            beats += 1
            await self._beat()
            if self._is_up and beats % SAY_AGAIN_BEATS == 0:
                self._say_again()

    async def _stops_within(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        return self._stopping.is_set()

    async def _beat(self) -> None:
        answer = await self.call("nodes", PREFIX, self.node, NODE_LIFE_MS, 0)
        if answer is None:
            return
        nodes, self.rank, was_known = answer
        is_new = not self._has_beaten
        self._has_beaten = True
        if self._is_up and not was_known and not is_new:
            logger.warning("Redis has forgotten the rates: for a moment they are by shares.")
        if not self._is_up or not was_known:
            # Nodes that come back one by one must not each take the share of all.
            self.nodes = max(self.nodes, nodes)
            self._recover(is_new=is_new)
        elif self.is_trusted:
            self.nodes = nodes

    def _recover(self, *, is_new: bool) -> None:
        if not self._is_up and not is_new:
            logger.warning(
                "Redis answers again; %d decisions were by this node's share.", self.fallbacks
            )
        self._is_up = True
        self._trusted_at = self.clock() + SETTLE_S
        self._say_again()

    def _say_again(self) -> None:
        for standing in list(self._standings.values()):
            standing.say_again()
