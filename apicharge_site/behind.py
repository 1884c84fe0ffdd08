"""What requests leave to be written is written behind them, some seconds later and all at once."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from django.db import DatabaseError, connection

from billing.shops import looks as days
from gateway.asgi import Receive, Scope, Send
from marketplace.looking import Looks

Application = Callable[[Scope, Receive, Send], Awaitable[None]]
EVERY_S = 10.0

logger = logging.getLogger(__name__)


class Behind:
    """A process that is killed loses what the last seconds had; one that is stopped writes it."""

    def __init__(self, app: Application, looks: Looks, every_s: float = EVERY_S) -> None:
        self._app = app
        self._looks = looks
        self._every_s = every_s
        self._timer: asyncio.TimerHandle | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        finally:
            if self._looks and self._timer is None:
                loop = asyncio.get_running_loop()
                self._timer = loop.call_later(self._every_s, self._begin, loop)

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        loop.run_in_executor(None, self._write)

    def _write(self) -> None:
        counts = self._looks.drain()
        try:
            days.write(counts)
        except DatabaseError:
            self._looks.give_back(counts)
            logger.warning("Looks at services could not be written down yet.", exc_info=True)
        finally:
            connection.close()

    async def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._looks:
            await asyncio.get_running_loop().run_in_executor(None, self._write)
