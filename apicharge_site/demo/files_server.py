"""The upstream of the demo's *Files* service: files of any size, an event stream, an upload sink.

    GET  /files/1000000.bin      that many bytes, the same ones every time
    GET  /stream?events=20       server-sent events, one every half second
    POST /upload                 counts what it was sent

It knows nothing of ApiCharge: that is the point of a gateway. No Django, so that it starts at once.
"""

import argparse
import asyncio
import json
import re
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

import uvicorn

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

BLOCK = bytes(range(256)) * 256
FILE_BYTES_MAX = 1 << 40
EVENTS_DEFAULT = 20
EVENTS_MAX = 100_000
EVENT_SECONDS = 0.5
FILE_PATH = re.compile(r"/files/(\d{1,13})(?:\.[a-z0-9]+)?")


def piece(start: int, length: int) -> bytes:
    """Bytes `start` to `start + length` of every file; at most one block."""
    offset = start % 256
    return BLOCK[offset : offset + min(length, len(BLOCK) - 256)]


async def application(scope: Message, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        return
    path, method = scope["path"], scope["method"]
    file = FILE_PATH.fullmatch(path)
    if file and int(file[1]) <= FILE_BYTES_MAX and method in {"GET", "HEAD"}:
        await send_file(int(file[1]), method == "HEAD", send)
    elif path == "/stream" and method == "GET":
        asked = parse_qs(scope["query_string"].decode("ascii", "replace")).get("events", [""])[0]
        await send_events(min(int(asked), EVENTS_MAX) if asked.isdigit() else EVENTS_DEFAULT, send)
    elif path == "/upload" and method in {"POST", "PUT"}:
        await count_upload(receive, send)
    else:
        await answer(404, {"error": "There are /files/<bytes>, /stream and /upload."}, send)


async def answer(status: int, document: dict[str, object], send: Send) -> None:
    body = json.dumps(document).encode() + b"\n"
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def send_file(size: int, head: bool, send: Send) -> None:
    headers = [
        (b"content-type", b"application/octet-stream"),
        (b"content-length", b"%d" % size),
        (b"etag", b'"%d"' % size),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    sent = 0
    while sent < size and not head:
        chunk = piece(sent, size - sent)
        sent += len(chunk)
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def send_events(count: int, send: Send) -> None:
    headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for number in range(1, count + 1):
        event = f"id: {number}\ndata: event {number} of {count}\n\n".encode()
        await send({"type": "http.response.body", "body": event, "more_body": True})
        if number < count:
            await asyncio.sleep(EVENT_SECONDS)
    await send({"type": "http.response.body", "body": b""})


async def count_upload(receive: Receive, send: Send) -> None:
    received = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        received += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    await answer(200, {"received": received}, send)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fd", type=int, required=True, help="a listening socket, already bound")
    listener = socket.socket(fileno=parser.parse_args().fd)
    config = uvicorn.Config(
        application, ws="none", lifespan="off", log_level="warning", timeout_graceful_shutdown=1
    )
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
