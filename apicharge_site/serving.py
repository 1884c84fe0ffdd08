"""One uvicorn on sockets that are already bound, ended by a signal: drain, settle, exit 0.

It speaks HTTP/1.1 on some of them and HTTP/2 on others, with one loop, one application and one end.

On SIGTERM or SIGINT `/readyz` fails and the sockets close; running exchanges have `drain_seconds`
to end by themselves, then they are cut and settled. A second SIGINT does not wait.
"""

import asyncio
import contextlib
import signal
import socket
import ssl
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import partial
from types import FrameType

import uvicorn

from apicharge_site.asgi import health, routed
from apicharge_site.state import Certificate
from gateway.http2.connection import Http2Protocol
from gateway.http2.negotiating import HTTP1, HTTP2, Factory, Negotiated, tls_context
from gateway.listening import HttpProtocol
from gateway.socket_listening import OPTIONS, WebSocketProtocol

DRAIN_SECONDS = 30
KEEP_ALIVE_SECONDS = 75
CONNECTIONS_WAITING_MAX = 2048
HANDSHAKE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Listeners:
    http1: Sequence[socket.socket]
    http2: Sequence[socket.socket] = ()
    certificate: Certificate | None = None


class Server(uvicorn.Server):
    def __init__(
        self, config: uvicorn.Config, listeners: Listeners, on_started: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._listeners = listeners
        self._on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002
        # uvicorn would speak HTTP/1.1 on all of them.
        await super().startup(sockets=[])
        if not self.started:
            return
        http1, http2 = self._factory(HttpProtocol), self._factory(Http2Protocol)
        for each in self._listeners.http1:
            await self._listen(each, http1, self._tls(HTTP1))
        tls = self._tls(HTTP2, HTTP1)
        for each in self._listeners.http2:
            await self._listen(each, partial(Negotiated, http1, http2) if tls else http2, tls)
        self._on_started()

    def _factory(self, protocol: type[HttpProtocol | Http2Protocol]) -> Factory:
        return partial(
            protocol,
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )

    def _tls(self, *protocols: str) -> ssl.SSLContext | None:
        certificate = self._listeners.certificate
        if certificate is None:
            return None
        return tls_context(certificate.chain, certificate.key, list(protocols))

    async def _listen(
        self, bound: socket.socket, factory: Factory, tls: ssl.SSLContext | None
    ) -> None:
        server = await asyncio.get_running_loop().create_server(
            factory,
            sock=bound,
            ssl=tls,
            ssl_handshake_timeout=HANDSHAKE_SECONDS if tls else None,
            backlog=CONNECTIONS_WAITING_MAX,
        )
        self.servers.append(server)

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
    listeners: Listeners,
    *,
    drain_seconds: int = DRAIN_SECONDS,
    on_started: Callable[[], None] = lambda: None,
) -> bool:
    """Serve until told to end; False if it could not start."""
    config = uvicorn.Config(
        routed,
        interface="asgi3",
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
    server = Server(config, listeners, on_started)
    server.run(sockets=[*listeners.http1, *listeners.http2])
    return server.started
