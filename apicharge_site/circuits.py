"""Which upstreams this gate leaves alone, written down for those whose they are.

Looked at beside the calls, and written when it changes, or while there is something to say. What a
gate that died has written is old after some seconds, and nobody believes it then.
"""

import asyncio
import logging
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta

from django.db import DatabaseError, InterfaceError, connection, transaction
from django.utils import timezone

from gateway.domain.balancing import Destination
from gateway.models import RestingUpstream

LOOK_S = 2.0
AGAIN_S = 10.0
AT_ONCE = 500
KEPT = timedelta(days=1)
Known = Callable[[], Iterable[tuple[str, str, Destination]]]
Resting = Mapping[tuple[str, str], bool]
"""By service and address: whether its health check says so, or calls did."""

logger = logging.getLogger(__name__)


class Circuits:
    def __init__(self, known: Known) -> None:
        self._known = known
        self._node = uuid.uuid4().hex
        self._told: Resting = {}
        self._told_at = 0.0

    async def run(self) -> None:
        """For ever."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(LOOK_S)
            await self.look(loop.time())

    async def look(self, now: float) -> None:
        resting = self.resting()
        is_old = bool(resting) and now - self._told_at >= AGAIN_S
        if resting != self._told or is_old:
            await self._tell(resting)
            self._told_at = now

    def resting(self) -> Resting:
        return {
            (service, url): each.is_down
            for service, url, each in self._known()
            if each.is_down or not each.is_closed()
        }

    async def _tell(self, resting: Resting) -> None:
        def write_() -> None:
            try:
                write(self._node, resting)
            finally:
                connection.close()

        try:
            await asyncio.get_running_loop().run_in_executor(None, write_)
        except (DatabaseError, InterfaceError):
            logger.warning("Resting upstreams could not be written down yet.", exc_info=True)
        else:
            self._told = resting


@transaction.atomic
def write(node: str, resting: Resting) -> None:
    now = timezone.now()
    RestingUpstream.objects.filter(seen_at__lt=now - KEPT).delete()
    own = RestingUpstream.objects.filter(node=node).values_list("pk", "service", "url")
    over = [pk for pk, service, url in own if (service, url) not in resting]
    RestingUpstream.objects.filter(pk__in=over).delete()
    rows = (
        RestingUpstream(
            node=node, service=service, url=url, is_down=is_down, since=now, seen_at=now
        )
        for (service, url), is_down in resting.items()
    )
    # Many at once, where a network fails: in few statements, as others wait for the database then.
    RestingUpstream.objects.bulk_create(
        rows,
        batch_size=AT_ONCE,
        update_conflicts=True,
        unique_fields=["node", "service", "url"],
        update_fields=["is_down", "seen_at"],
    )
