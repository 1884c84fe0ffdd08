"""One uvicorn on sockets that are already bound, ended by a signal: drain, settle, exit 0.

On SIGTERM or SIGINT `/readyz` fails and the sockets close; running exchanges have `drain_seconds`
to end by themselves, then they are cut and settled. A second SIGINT does not wait.
"""

import contextlib
import signal
import socket
from collections.abc import Callable, Generator
from types import FrameType

import uvicorn

from apicharge_site.asgi import application, health
from gateway.listening import HttpProtocol
from gateway.socket_listening import OPTIONS, WebSocketProtocol

DRAIN_SECONDS = 30
KEEP_ALIVE_SECONDS = 75
CONNECTIONS_WAITING_MAX = 2048


class Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_started()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Unlike uvicorn's own, does not raise the signal again: a drained server ended well."""
        handled = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self.handle_exit) for number in handled}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        health.draining = True
        super().handle_exit(sig, frame)


def serve(
    listeners: list[socket.socket],
    *,
    drain_seconds: int = DRAIN_SECONDS,
    on_started: Callable[[], None] = lambda: None,
) -> bool:
    """Serve until told to end; False if it could not start."""
    config = uvicorn.Config(
        application,
        http=HttpProtocol,
        ws=WebSocketProtocol,
        **OPTIONS,
        lifespan="on",
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        backlog=CONNECTIONS_WAITING_MAX,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=drain_seconds,
    )
    server = Server(config, on_started)
    server.run(sockets=listeners)
    return server.started
