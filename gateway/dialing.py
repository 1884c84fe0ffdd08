"""Opening a WebSocket to an upstream: the addresses and faults of upstream.py, another client.

The connection goes to a checked address, follows no redirect, obeys no proxy variable and
compresses nothing. Reading pauses after each message until it is asked for. Both hops are pinged by
themselves; a pong that our own back-pressure holds up is not taken for a dead upstream.
"""

import asyncio
import os
import ssl
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass

from websockets.asyncio.client import ClientConnection
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake, InvalidStatus, TooManyFragments
from websockets.frames import CloseCode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import WebSocketURI

from gateway.addresses import Address, AddressRefused, Place, Policy, Unresolvable, parse, resolve
from gateway.building import USER_AGENT
from gateway.domain.closing import ABNORMAL, NO_CODE, Close
from gateway.domain.clusters import Cluster
from gateway.domain.errors import UpstreamFault
from gateway.domain.exchange import End
from gateway.domain.headers import Pair
from gateway.domain.transforms import Transform
from gateway.upstream import NO_ADDRESS, Asked

PING_SECONDS = 20.0
PONG_SECONDS = 20.0
WRITE_BUFFER_BYTES = 64 * 1024
SWITCHING = 101


@dataclass(frozen=True, slots=True)
class HandshakeRefused:
    """The upstream's answer, when it is not a WebSocket."""

    status: int
    headers: list[Pair]
    body: bytes


class UpstreamSocket(ClientConnection):
    """An open WebSocket. `next` is None when nothing more comes; `ended` then says how it ended."""

    status = SWITCHING

    async def next(self) -> str | bytes | None:
        try:
            return await self.recv_messages.get()
        except EOFError:
            pass
        except UnicodeDecodeError:
            self._fail(CloseCode.INVALID_DATA)
        except TooManyFragments:
            self._fail(CloseCode.MESSAGE_TOO_BIG)
        return None

    async def pass_on(self, data: bytes, *, text: bool) -> bool:
        """Whether it was given to the transport: the library's own `send` waits for a close."""
        if self.protocol.state is not State.OPEN:
            return False
        (self.protocol.send_text if text else self.protocol.send_binary)(data)
        try:
            self.send_data()
            await self.drain()
        except OSError:
            return False
        return True

    @property
    def ended(self) -> Close | None:
        """What the upstream closed with; None: it broke off, or broke the protocol."""
        said = self.protocol.close_rcvd
        return None if said is None else Close(said.code, said.reason)

    def headers(self, changes: Transform | None) -> list[Pair]:
        assert self.response is not None
        return _answered(self.response.headers.raw_items(), changes)

    def begin_close(self, close: Close) -> None:
        """Say why; a client that vanished is passed on as a connection that vanishes."""
        if close.code == ABNORMAL:
            self.transport.abort()
        elif self.protocol.state is State.OPEN:
            code = None if close.code == NO_CODE else close.code
            self.protocol.send_close(code, close.reason)
            self.send_data()

    async def end(self, seconds: float) -> None:
        """Let it answer the close for so long, then cut it."""
        try:
            async with asyncio.timeout(seconds):
                await self.wait_closed()
        except TimeoutError:
            pass
        finally:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.protocol.close_rcvd is not None or self.protocol.parser_exc is not None:
            self.recv_messages.close()  # Not only when it has closed the connection, too.

    async def keepalive(self) -> None:
        while True:
            await asyncio.sleep(PING_SECONDS)
            pong = await self.ping()
            while not await _comes(pong):
                if not self.recv_messages.paused:
                    self.transport.abort()
                    return

    def _fail(self, code: CloseCode) -> None:
        self.protocol.fail(code)
        self.send_data()


class _Handshake(ClientProtocol):
    """With the Host that the service's changes ask for, if any."""

    host: str | None = None

    def connect(self) -> Request:
        request = super().connect()
        if self.host is not None:
            del request.headers["Host"]
            request.headers["Host"] = self.host
        return request


class Dialing:
    def __init__(self, policy: Policy, root_certificates: Sequence[bytes] = ()) -> None:
        self._policy = policy
        self._root_certificates = root_certificates
        self._contexts: dict[str, ssl.SSLContext] = {}

    async def dial(
        self, url: str, asked: Asked, subprotocols: Sequence[str], message_bytes_max: int
    ) -> UpstreamSocket | HandshakeRefused:
        """From the first address of this upstream that takes the connection."""
        try:
            place = parse(url)
            addresses = await resolve(place, self._policy)
        except (AddressRefused, Unresolvable) as exc:
            raise UpstreamFault(End.UPSTREAM_UNREACHABLE, NO_ADDRESS) from exc
        cause: OSError | None = None
        for address in addresses:
            protocol = _protocol(place, asked, subprotocols, message_bytes_max)
            try:
                connection = await self._connect(protocol, place, address, asked)
            except OSError as exc:  # TimeoutError and SSLError are.
                cause = exc
            else:
                return await _shake_hands(connection, asked)
        raise UpstreamFault(End.UPSTREAM_UNREACHABLE, "The API could not be reached.") from cause

    async def _connect(
        self, protocol: ClientProtocol, place: Place, address: Address, asked: Asked
    ) -> UpstreamSocket:
        def connection() -> UpstreamSocket:
            return UpstreamSocket(
                protocol,
                ping_interval=PING_SECONDS,
                ping_timeout=PONG_SECONDS,
                max_queue=0,
                write_limit=WRITE_BUFFER_BYTES,
            )

        async with asyncio.timeout(asked.timeouts.connect_ms / 1000):
            _, made = await asyncio.get_running_loop().create_connection(
                connection,
                str(address),
                place.port,
                ssl=self._tls(asked.cluster) if place.is_secure else None,
                server_hostname=place.host.strip("[]") if place.is_secure else None,
            )
        return made

    def _tls(self, cluster: Cluster) -> ssl.SSLContext:
        context = self._contexts.get(cluster.client_id)
        if context is None:
            context = ssl.create_default_context()
            for pem in filter(None, (*self._root_certificates, cluster.tls.authorities)):
                context.load_verify_locations(cadata=pem.decode("ascii"))
            if cluster.tls.identity:
                _show(context, cluster.tls.identity)
            self._contexts[cluster.client_id] = context
        return context


def _show(context: ssl.SSLContext, identity: bytes) -> None:
    """The library reads a key from a file only; this one is in memory and has no name."""
    with os.fdopen(os.memfd_create("identity"), "wb") as file:
        file.write(identity)
        file.flush()
        context.load_cert_chain(f"/proc/self/fd/{file.fileno()}")


def _protocol(
    place: Place, asked: Asked, subprotocols: Sequence[str], message_bytes_max: int
) -> ClientProtocol:
    uri = WebSocketURI(
        place.is_secure, place.host.strip("[]"), place.port, place.path + asked.path, asked.query
    )
    offered = [Subprotocol(name) for name in subprotocols]
    protocol = _Handshake(uri, subprotocols=offered or None, max_size=message_bytes_max)
    protocol.host = next((value for name, value in asked.headers if name == "host"), None)
    return protocol


async def _shake_hands(
    connection: UpstreamSocket, asked: Asked
) -> UpstreamSocket | HandshakeRefused:
    try:
        # The client writes ISO-8859-1: what came as UTF-8 goes on as the same bytes.
        headers = [
            (name, value.encode().decode("latin-1"))
            for name, value in asked.headers
            if name != "host"
        ]
        await connection.handshake(headers, USER_AGENT)
    except InvalidStatus as exc:
        connection.transport.abort()
        answer = exc.response
        headers = _answered(answer.headers.raw_items(), asked.cluster.transform)
        return HandshakeRefused(answer.status_code, headers, bytes(answer.body))
    except BaseException as exc:
        connection.transport.abort()
        if isinstance(exc, InvalidHandshake | OSError):
            raise _fault(exc) from exc
        raise
    connection.start_keepalive()
    return connection


def _fault(exc: Exception) -> UpstreamFault:
    if isinstance(exc, OSError) or isinstance(exc.__cause__, EOFError | OSError):
        return UpstreamFault(
            End.UPSTREAM_DROPPED, "The API closed the connection without an answer."
        )
    return UpstreamFault(End.UPSTREAM_INVALID, "The API answered something that is no WebSocket.")


def _answered(items: Iterable[Pair], changes: Transform | None) -> list[Pair]:
    pairs = [(name.lower(), value) for name, value in items]
    return list(changes.response(pairs)) if changes else pairs


async def _comes(pong: Awaitable[float]) -> bool:
    try:
        async with asyncio.timeout(PONG_SECONDS):
            await asyncio.shield(pong)
    except TimeoutError:
        return False
    return True
