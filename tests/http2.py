"""A client of HTTP/2 that says exactly what it is told to, and reads only when it is told to."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from ssl import SSLContext

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError
from hyperframe.frame import Frame, GoAwayFrame

DEADLINE_SECONDS = 20.0
Field = tuple[str | bytes, str | bytes]


@dataclass
class Heard:
    """What has come of one stream."""

    head: dict[str, str] = field(default_factory=dict)
    informational: list[str] = field(default_factory=list)
    body: bytes = b""
    trailers: dict[str, str] | None = None
    is_whole: bool = False
    reset: ErrorCodes | int | None = None
    frames: int = 0

    @property
    def status(self) -> str | None:
        return self.head.get(":status")

    @property
    def is_over(self) -> bool:
        return self.is_whole or self.reset is not None


class Client:
    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, opens_windows: bool
    ) -> None:
        self._reader, self._writer = reader, writer
        self._opens_windows = opens_windows
        self.h2 = H2Connection(
            H2Configuration(
                client_side=True,
                header_encoding="utf-8",
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self.streams: dict[int, Heard] = defaultdict(Heard)
        self.terminated: ErrorCodes | int | None = None
        self.is_closed = False
        self.pings_answered = 0
        self.pings = 0
        self.frames: list[Frame] = []
        self._unparsed = b""
        self.is_silent = False
        self._changed = asyncio.Condition()

    def pause_reading(self) -> None:
        self._writer.transport.pause_reading()

    async def flush(self) -> None:
        self._writer.write(self.h2.data_to_send())
        with suppress(ConnectionError):
            await self._writer.drain()

    async def write(self, raw: bytes) -> None:
        self._writer.write(self.h2.data_to_send() + raw)
        with suppress(ConnectionError):
            await self._writer.drain()

    def head(
        self, path: str = "/", *, method: str = "GET", headers: Sequence[Field] = ()
    ) -> list[Field]:
        line = [(":method", method), (":scheme", "http"), (":authority", "gate.example")]
        return [*line, (":path", path), *headers]

    async def begin(self, fields: Sequence[Field], *, end: bool = True) -> int:
        stream_id = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream_id, fields, end_stream=end)
        await self.flush()
        return stream_id

    async def get(self, path: str = "/", **more: object) -> Heard:
        return await self.over(await self.begin(self.head(path, **more)))

    async def upload(self, stream_id: int, body: bytes, *, end: bool = True) -> None:
        """All of it, as windows allow."""
        left = memoryview(body)
        while left:
            window = min(self.h2.local_flow_control_window(stream_id), 16_384)
            if window <= 0:
                await self.until(lambda: self.h2.local_flow_control_window(stream_id) > 0)
                continue
            self.h2.send_data(stream_id, bytes(left[:window]))
            left = left[window:]
            await self.flush()
        if end:
            self.h2.end_stream(stream_id)
            await self.flush()

    async def over(self, stream_id: int) -> Heard:
        await self.until(lambda: self.streams[stream_id].is_over or self.is_closed)
        return self.streams[stream_id]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS), self._changed:
            await self._changed.wait_for(condition)

    async def read(self) -> None:
        """For as long as the connection lasts."""
        with suppress(ConnectionError):
            while data := await self._reader.read(65_536):
                self._keep_frames(data)
                # Nothing is a surprise to h2 but what a test provoked beside it.
                try:
                    for event in self.h2.receive_data(data):
                        self._handle(event)
                except ProtocolError:
                    self.h2.clear_outbound_data_buffer()
                if not self.is_silent:
                    await self.flush()
                async with self._changed:
                    self._changed.notify_all()
        self.is_closed = True
        async with self._changed:
            self._changed.notify_all()

    def _keep_frames(self, data: bytes) -> None:
        self._unparsed += data
        while len(self._unparsed) >= 9:
            frame, length = Frame.parse_frame_header(memoryview(self._unparsed[:9]))
            if len(self._unparsed) < 9 + length:
                return
            frame.parse_body(memoryview(self._unparsed[9 : 9 + length]))
            self._unparsed = self._unparsed[9 + length :]
            self.frames.append(frame)
            if isinstance(frame, GoAwayFrame):
                self.terminated = frame.error_code

    def _handle(self, event: events.Event) -> None:
        match event:
            case events.PingAckReceived():
                self.pings_answered += 1
            case events.PingReceived():
                self.pings += 1
        if getattr(event, "stream_id", None):
            self._heard(event, self.streams[event.stream_id])

    def _heard(self, event: events.Event, heard: Heard) -> None:
        match event:
            case events.InformationalResponseReceived():
                heard.informational.append(dict(event.headers)[":status"])
            case events.ResponseReceived():
                heard.frames += 1
                heard.head = dict(event.headers)
            case events.TrailersReceived():
                heard.trailers = dict(event.headers)
            case events.DataReceived():
                heard.frames += 1
                heard.body += event.data
                if self._opens_windows and event.flow_controlled_length:
                    size = event.flow_controlled_length
                    self.h2.acknowledge_received_data(size, event.stream_id)
            case events.StreamEnded():
                heard.is_whole = True
            case events.StreamReset():
                heard.reset = event.error_code


@asynccontextmanager
async def connected(
    host: str, port: int, *, opens_windows: bool = True, tls: SSLContext | None = None
) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection(host, port, ssl=tls)
    client = Client(reader, writer, opens_windows=opens_windows)
    client.h2.initiate_connection()
    await client.flush()
    reading = asyncio.get_running_loop().create_task(client.read())
    try:
        yield client
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
