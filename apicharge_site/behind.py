"""What requests leave to be written is written behind them, some seconds later and all at once."""

import asyncio
import atexit
import logging
from collections.abc import Awaitable, Callable

from django.db import Error, connection

from billing.shops import looks as days
from gateway.asgi import Receive, Scope, Send
from marketplace.looking import Looks

Application = Callable[[Scope, Receive, Send], Awaitable[None]]
EVERY_S = 10.0

logger = logging.getLogger(__name__)


class Behind:
    """A process that is killed loses what the last seconds had; one that ends by itself writes it.

    Servers that speak the lifespan protocol say when that is. For others, such as daphne, it is
    when the interpreter ends.
    """

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
                atexit.unregister(self._leave)
                atexit.register(self._leave)

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        loop.run_in_executor(None, self._write)

    def _write(self) -> None:
        counts = self._looks.drain()
        try:
            days.write(counts)
        except Error:
            self._looks.give_back(counts)
            logger.warning("Looks at services could not be written down yet.", exc_info=True)
        finally:
            connection.close()

    def _leave(self) -> None:
        if self._looks:
            self._write()

    async def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._looks:
            await asyncio.get_running_loop().run_in_executor(None, self._write)
