"""What a connection writes: a frame of each stream in its turn, as windows and socket let through.

Nothing is held here but references: what does not fit stays with its stream, whose `send` waits.
All that is written in one turn of the loop goes to the socket at once.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from h2.connection import H2Connection
from h2.errors import ErrorCodes

from gateway.asgi import Headers
from gateway.http2.stream import Stream

FRAME_BYTES_MAX = 16 * 1024
UNWRITTEN_BYTES_MAX = 64 * 1024
ANSWERS_PER_FRAME = 3
"""The stream's window, the connection's, a ping."""


class Writer:
    def __init__(
        self,
        h2: H2Connection,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        forget: Callable[[Stream], None],
    ) -> None:
        self._h2 = h2
        self._transport = transport
        self._loop = loop
        self._forget = forget
        self._held: list[Stream] = []
        self._ready: deque[Stream] = deque()
        self._starved: list[Stream] = []
        """For want of the connection's window."""
        self._buffered = 0
        self._will_flush = False
        self.frames_unanswered = 0
        """What a client may tell us of our data without trying our patience."""
        self.is_paused = False

    def hold_head(self, stream: Stream) -> None:
        self._held.append(stream)
        self.flush_soon()

    def head(self, stream: Stream, headers: Headers, *, end: bool) -> None:
        self._h2.send_headers(stream.id, headers, end_stream=end)
        self.flush_soon()
        if end:
            self._complete(stream)

    def body(self, stream: Stream) -> None:
        """Write what is outgoing, or the mere end of the stream."""
        if not stream.is_queued:
            stream.is_queued = True
            self._ready.append(stream)
        self.pump()

    def reset(self, stream: Stream, code: ErrorCodes) -> None:
        self._h2.reset_stream(stream.id, code)
        self.flush_soon()
        self._end(stream)

    def window_opened(self, stream: Stream | None) -> None:
        """The connection's, without a stream."""
        if stream is None:
            self._ready.extend(self._starved)
            self._starved.clear()
        elif stream.outgoing and not stream.is_queued:
            stream.is_queued = True
            self._ready.append(stream)

    def pump(self) -> None:
        while self._ready and not self.is_paused and self._buffered < UNWRITTEN_BYTES_MAX:
            self._write_some(self._ready.popleft())
        self.flush_soon()

    def _write_some(self, stream: Stream) -> None:
        stream.is_queued = False
        if stream.is_closed:
            return
        if stream.outgoing:
            window = self._h2.local_flow_control_window(stream.id)
            if window <= 0:
                if self._h2.outbound_flow_control_window <= 0:
                    stream.is_queued = True
                    self._starved.append(stream)
                return
            piece = stream.outgoing[: min(window, FRAME_BYTES_MAX)]
        else:
            piece = stream.outgoing
        size = len(piece)
        ends = stream.is_ended and size == len(stream.outgoing)
        self._h2.send_data(stream.id, piece, end_stream=ends)
        self._buffered += size
        self.frames_unanswered += ANSWERS_PER_FRAME
        stream.wrote(size)
        if ends:
            self._complete(stream)
        elif stream.outgoing:
            stream.is_queued = True
            self._ready.append(stream)

    def _complete(self, stream: Stream) -> None:
        if not stream.is_heard_out:
            # The answer is whole: what else the client would send is not needed (RFC 9113, 8.1).
            self._h2.reset_stream(stream.id, ErrorCodes.NO_ERROR)
        self._end(stream)

    def _end(self, stream: Stream) -> None:
        stream.close()
        self._forget(stream)

    def flush_soon(self) -> None:
        if not self._will_flush:
            self._will_flush = True
            self._loop.call_soon(self._turn_ended)

    def _turn_ended(self) -> None:
        self._will_flush = False
        held, self._held = self._held, []
        for stream in held:
            stream.flush_head()
        self.flush()
        if self._ready and not self.is_paused:
            self.pump()

    def flush(self) -> None:
        self._buffered = 0
        data = self._h2.data_to_send()
        if data and not self._transport.is_closing():
            self._transport.write(data)
