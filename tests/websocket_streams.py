"""The client's side of a WebSocket over HTTP/2, frame by frame."""

from collections.abc import Sequence

from h2.errors import ErrorCodes
from websockets.frames import Frame
from websockets.protocol import Protocol, Side

from tests.http2 import Client, Field, Heard


class Socket:
    def __init__(self, client: Client, stream_id: int) -> None:
        self._client = client
        self._stream_id = stream_id
        self._read = 0
        self.frames: list[Frame] = []
        self.protocol = Protocol(Side.CLIENT, max_size=None)

    @property
    def heard(self) -> Heard:
        return self._client.streams[self._stream_id]

    async def write(self, *, end: bool = False) -> None:
        await self._client.upload(self._stream_id, b"".join(self.protocol.data_to_send()), end=end)

    async def text(self, text: str) -> None:
        self.protocol.send_text(text.encode())
        await self.write()

    async def close(self, code: int, reason: str = "") -> None:
        self.protocol.send_close(code, reason)
        await self.write()

    async def reset(self) -> None:
        self._client.h2.reset_stream(self._stream_id, ErrorCodes.CANCEL)
        await self._client.flush()

    async def next(self) -> Frame:
        """The next frame that the server sent."""
        await self._client.until(lambda: self._parse() or self.heard.is_over)
        return self.frames.pop(0)

    def _parse(self) -> bool:
        new = self.heard.body[self._read :]
        self._read += len(new)
        self.protocol.receive_data(new)
        self.frames += [e for e in self.protocol.events_received() if isinstance(e, Frame)]
        return bool(self.frames)


async def opened(
    client: Client,
    path: str,
    *,
    headers: Sequence[Field] = (),
    authority: str = "gate.example",
) -> Socket:
    line = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http")]
    line += [(":authority", authority), (":path", path), ("sec-websocket-version", "13")]
    stream_id = await client.begin([*line, *headers], end=False)
    heard = client.streams[stream_id]
    await client.until(lambda: heard.status is not None or heard.is_over)
    return Socket(client, stream_id)
