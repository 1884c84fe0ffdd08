"""HTTP/2 for uvicorn: a connection's frames, windows, bounds and deadlines.

uvicorn's server makes one of these per connection, as it makes its own HTTP/1.1 protocol, so that
both have one loop, one application, one lifespan and one drain. The frames are the h2 library's.

Received data opens the connection's window at once and its stream's when the application takes it:
an upload that nobody reads holds back itself and nobody else.

Ended are: a stream whose client takes nothing, or sends nothing of a body that is waited for, for
30 s, and a connection that is idle, does not answer a ping, does not read, or sends more of what
costs a peer little (resets, pings, settings, small pieces) than floods.py bears.
"""

import asyncio
from contextlib import suppress
from typing import Any

from h2 import events as happened
from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError, StreamClosedError
from h2.settings import SettingCodes
from hyperframe.frame import GoAwayFrame
from uvicorn import Config
from uvicorn.protocols.utils import get_local_addr, get_remote_addr, is_ssl
from uvicorn.server import ServerState

from gateway.asgi import Headers, Scope
from gateway.domain.floods import Patience, cost_of_late, cost_of_piece
from gateway.domain.requests import Malformed, Request, read
from gateway.http2.opening import Bounds, opened
from gateway.http2.sockets import over_http2
from gateway.http2.stream import Application, Stream
from gateway.http2.writing import UNWRITTEN_BYTES_MAX, Writer
from gateway.listening import Deadlines, watch

UNREAD_BYTES_MAX = 1024 * 1024
"""Of our answers to a client that sends and does not read."""
STEP_BYTES = 16 * 1024
"""Parsed in one go: what is refused after it must not have cost much before."""
LINGERING_SECONDS = 2.0
WEBSOCKET = b"websocket"
LIVE = b"application/grpc"


class Http2Protocol(asyncio.Protocol):
    deadlines = Deadlines()
    bounds = Bounds()

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._config = config
        self._state = server_state
        self._app_state = app_state
        self._loop = _loop or asyncio.get_event_loop()
        self._streams: dict[int, Stream] = {}
        self._running = 0
        """Applications, also of streams that are closed."""
        self._unopened = 0
        self._priority: happened.PriorityUpdated | None = None
        self._is_draining = self._has_served = False
        self._pinged_at: float | None = None
        self._left_at: float | None = None
        self._heard_at = self._idle_since = self._loop.time()
        self._unwritten: tuple[int, float] = (0, self._heard_at)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        transport.set_write_buffer_limits(high=UNWRITTEN_BYTES_MAX)
        self._state.connections.add(self)  # type: ignore[arg-type]
        self._server, self._client = get_local_addr(transport), get_remote_addr(transport)
        self._scheme = "https" if is_ssl(transport) else "http"
        bounds = self.bounds
        self._patience = Patience.of(
            bounds.free_frames_burst, bounds.free_frames_per_second, self._loop.time()
        )
        self._h2 = opened(bounds)
        self._writer = Writer(self._h2, transport, self._loop, self._forget)
        self._writer.flush()
        watch(self._state, self._loop)

    def connection_lost(self, _exc: Exception | None) -> None:
        self._state.connections.discard(self)
        self._drop_streams()

    def pause_writing(self) -> None:
        self._writer.is_paused = True

    def resume_writing(self) -> None:
        self._writer.is_paused = False
        self._writer.pump()

    def shutdown(self) -> None:
        """uvicorn drains: let running streams end, take no others."""
        self._is_draining = True
        if not self._streams:
            self._close(ErrorCodes.NO_ERROR)
            return
        # h2 sends nothing after a GOAWAY of its own, so this one is written past it.
        self._writer.flush()
        goodbye = GoAwayFrame(0, last_stream_id=self._h2.highest_inbound_stream_id)
        self._transport.write(goodbye.serialize())

    def _close(self, code: ErrorCodes) -> None:
        if not self._is_gone():
            self._h2.close_connection(code)
            self._leave(says_why=code is not ErrorCodes.NO_ERROR)

    def _leave(self, *, says_why: bool) -> None:
        """Closed with something unread, a socket forgets what was written: the reason, too."""
        self._writer.flush()
        if says_why and self._transport.can_write_eof():
            self._transport.write_eof()
            self._left_at = self._loop.time()
        else:
            self._transport.close()
        self._drop_streams()

    def _is_gone(self) -> bool:
        return self._left_at is not None or self._transport.is_closing()

    def _drop_streams(self) -> None:
        for stream in list(self._streams.values()):
            stream.close()
        self._streams.clear()

    # What the client sends.

    def data_received(self, data: bytes) -> None:
        self._heard_at, self._pinged_at = self._loop.time(), None
        for start in range(0, len(data), STEP_BYTES):
            if self._is_gone():
                return
            try:
                for event in self._h2.receive_data(data[start : start + STEP_BYTES]):
                    self._handle(event)
            except ProtocolError:
                self._leave(says_why=True)
                return
        self._writer.pump()
        if self._transport.get_write_buffer_size() > UNREAD_BYTES_MAX:
            self._transport.abort()

    def _handle(self, event: happened.Event) -> None:
        if self._is_gone():
            return
        match event:
            case happened.DataReceived():
                self._on_data(event)
            case happened.RequestReceived():
                self._on_request(event)
            case happened.StreamEnded():
                self._on_end(event)
            case happened.WindowUpdated() | happened.PingReceived():
                self._on_what_answers(event)
            case happened.ConnectionTerminated():
                self._on_goodbye(event)
            case _:
                self._on_what_costs_nothing(event)

    def _on_end(self, event: happened.StreamEnded) -> None:
        stream = self._stream(event)
        if stream is None:
            return
        if stream.length in {None, stream.heard_bytes}:
            stream.heard_out()
        else:  # h2 does not count where trailers end it.
            self._writer.reset(stream, ErrorCodes.PROTOCOL_ERROR)
            self._bear()

    def _on_goodbye(self, event: happened.ConnectionTerminated) -> None:
        """A client that asks nothing more may still wait for what it asked."""
        self._is_draining = True
        if event.error_code != ErrorCodes.NO_ERROR or not self._streams:
            self._leave(says_why=False)

    def _stream(self, event: happened.StreamEnded | happened.WindowUpdated) -> Stream | None:
        return self._streams.get(event.stream_id or 0)

    def _bear(self, cost: float = 1.0) -> None:
        if not self._patience.bears(self._heard_at, cost=cost):
            self._close(ErrorCodes.ENHANCE_YOUR_CALM)

    def _on_what_answers(self, event: happened.WindowUpdated | happened.PingReceived) -> None:
        """Clients open windows and measure the path as our data arrives: that much is earned."""
        if self._writer.frames_unanswered:
            self._writer.frames_unanswered -= 1
        else:
            self._bear()
        if isinstance(event, happened.WindowUpdated):
            self._writer.window_opened(self._stream(event) if event.stream_id else None)

    def _on_what_costs_nothing(self, event: happened.Event) -> None:
        if isinstance(event, happened.StreamReset):
            # By the client, or by h2 for what the client did to the stream.
            stream = self._streams.get(event.stream_id or 0)
            if stream is not None:
                stream.close()
                self._forget(stream)
        elif isinstance(event, happened.RemoteSettingsChanged):
            if SettingCodes.INITIAL_WINDOW_SIZE in event.changed_settings:
                for each in self._streams.values():
                    self._writer.window_opened(each)
        elif event is self._priority:
            return  # Said in the head of a request, and paid with it.
        self._bear()

    def _on_request(self, event: happened.RequestReceived) -> None:
        stream_id, fields = event.stream_id or 0, event.headers or []
        self._priority = event.priority_updated
        if self._is_draining or self._running >= self.bounds.streams:
            self._refuse(stream_id, ErrorCodes.REFUSED_STREAM)
            return
        try:
            request = read(fields, has_body=event.stream_ended is None)
        except Malformed:
            self._refuse(stream_id, ErrorCodes.PROTOCOL_ERROR)
            return
        if request.protocol not in {None, WEBSOCKET}:
            self._refuse(stream_id, ErrorCodes.PROTOCOL_ERROR)
            return
        stream = Stream(self, stream_id, self._scope(request), self._loop)
        stream.scope["extensions"] = {"abort": stream.abort, "http.response.trailers": {}}
        stream.expects_continue, stream.length = request.expects_continue, request.length
        is_socket = request.protocol is not None
        stream.is_live = is_socket or request.is_of(LIVE)
        application = self._config.loaded_app
        self._start(stream, over_http2(application) if is_socket else application)

    def _start(self, stream: Stream, application: Application) -> None:
        self._streams[stream.id] = stream
        self._has_served = True
        self._running += 1
        self._state.total_requests += 1
        task = self._loop.create_task(stream.run(application))
        self._state.tasks.add(task)
        task.add_done_callback(self._state.tasks.discard)

    def _scope(self, request: Request) -> Scope:
        return {
            "type": "http",
            "asgi": {"version": self._config.asgi_version, "spec_version": "2.4"},
            "http_version": "2",
            "server": self._server,
            "client": self._client,
            "scheme": self._scheme,
            "method": request.method,
            "root_path": "",
            "path": request.path,
            "raw_path": request.raw_path,
            "query_string": request.query,
            "headers": request.headers,
            "state": self._app_state.copy(),
        }

    def _refuse(self, stream_id: int, code: ErrorCodes) -> None:
        # The client may have reset it already, in what was parsed together with its head.
        with suppress(StreamClosedError):
            self._h2.reset_stream(stream_id, code)
        self._bear()

    def _on_data(self, event: happened.DataReceived) -> None:
        data, flowed = event.data, event.flow_controlled_length
        self._unopened += flowed
        if self._unopened >= self.bounds.connection_window_bytes // 4:
            self._h2.increment_flow_control_window(self._unopened)
            self._unopened = 0
        stream = self._streams.get(event.stream_id)
        if stream is None:
            self._bear(cost_of_late(len(data)))
            return
        # The first piece is paid with the head.
        is_paid = event.stream_ended is not None or (data and not stream.heard_bytes)
        if flowed:
            stream.heard(data, flowed)
        if not is_paid:
            self._bear(cost_of_piece(len(data), is_live=stream.is_live))

    # What a stream asks.

    def default_headers(self) -> Headers:
        return self._state.default_headers

    def hold_head(self, stream: Stream) -> None:
        self._writer.hold_head(stream)

    def write_head(self, stream: Stream, headers: Headers, *, end: bool) -> None:
        self._writer.head(stream, headers, end=end)

    def write_body(self, stream: Stream) -> None:
        self._writer.body(stream)

    def took(self, stream: Stream, flowed: int) -> None:
        if flowed and stream.id in self._streams:
            self._h2.increment_flow_control_window(flowed, stream.id)
            self._writer.flush_soon()

    def reset(self, stream: Stream, code: ErrorCodes) -> None:
        self._writer.reset(stream, code)

    def ended(self) -> None:
        self._running -= 1

    def _forget(self, stream: Stream) -> None:
        self._streams.pop(stream.id, None)
        self._idle_since = self._loop.time()
        if self._is_draining and not self._streams:
            self._loop.call_soon(self._close, ErrorCodes.NO_ERROR)

    # What the passing of time asks for.

    def look(self, now: float) -> None:
        if self._is_not_read(now) or self._has_lingered(now):
            self._transport.abort()
        elif self._transport.is_closing():
            return
        elif self._streams:
            late = [each for each in self._streams.values() if each.is_late(now, self.deadlines)]
            for stream in late:
                self._writer.reset(stream, ErrorCodes.CANCEL)
            self._ask_whether_alive(now)
        elif now - self._idle_since > self._idle_seconds():
            self._close(ErrorCodes.NO_ERROR)

    def _has_lingered(self, now: float) -> bool:
        return self._left_at is not None and now - self._left_at > LINGERING_SECONDS

    def _idle_seconds(self) -> float:
        return self.bounds.idle_seconds if self._has_served else self.deadlines.headers_seconds

    def _ask_whether_alive(self, now: float) -> None:
        if self._pinged_at is not None:
            if now - self._pinged_at > self.bounds.ping_answer_seconds:
                self._transport.abort()
        elif now - self._heard_at > self.bounds.ping_after_seconds:
            self._pinged_at = now
            self._h2.ping(b"\0" * 8)
            self._writer.flush_soon()

    def _is_not_read(self, now: float) -> bool:
        waiting_bytes, since = self._unwritten
        unwritten = self._transport.get_write_buffer_size()
        if unwritten == 0 or unwritten != waiting_bytes:
            self._unwritten = (unwritten, now)
            return False
        return now - since > self.deadlines.write_seconds
