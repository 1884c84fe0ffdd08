"""Running the sandbox as a process."""

import argparse
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from billing.sandbox import clock
from billing.sandbox.node import Node
from billing.sandbox.server import Sandbox
from billing.sandbox.storage import Storage

HOST = "127.0.0.1"  # Whoever reaches it owns everything in it: never another address.
FILE = "sandbox.sqlite3"
CONNECTIONS_MAX = 1_000
REFUSAL = "The sandbox holds play money: it does not start under APICHARGE_PRODUCTION."


class Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        assert sockets is not None
        port = sockets[0].getsockname()[1]
        print(f"Sandbox network ready on http://{HOST}:{port}", flush=True)  # noqa: T201


def run(*, home: Path, port: int, close_ms: int, signers: Sequence[bytes]) -> None:
    """Serve until interrupted. Raises InUseError or OSError when it cannot start."""
    # uvicorn raises the signal again once it has stopped; then this ends the process cleanly.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with (
        socket.create_server((HOST, port)) as listener,
        contextlib.closing(Storage(home / FILE)) as storage,
        contextlib.suppress(KeyboardInterrupt),
    ):
        url = f"http://{HOST}:{listener.getsockname()[1]}"
        node = Node(storage, now_s=time.time(), signers=signers)
        config = uvicorn.Config(
            Sandbox(node, url=url, close_ms=close_ms),
            log_level="warning",
            lifespan="on",
            limit_concurrency=CONNECTIONS_MAX,
            timeout_graceful_shutdown=2,
        )
        Server(config).run(sockets=[listener])


def signer(text: str) -> bytes:
    key = bytes.fromhex(text)
    if len(key) != 32:
        raise ValueError("an ed25519 public key has 32 bytes")
    return key


def close_interval(text: str) -> int:
    interval = int(text)
    if interval < clock.CLOSE_MS_LEAST:
        raise ValueError(f"ledgers close at most every {clock.CLOSE_MS_LEAST} ms")
    return interval


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--signer",
        action="append",
        type=signer,
        default=[],
        metavar="HEX",
        help="a public key whose quotes the purchase contract accepts; may be repeated",
    )
    parser.add_argument(
        "--close-ms",
        type=close_interval,
        default=os.environ.get("APICHARGE_SANDBOX_CLOSE_MS", str(clock.CLOSE_MS_DEFAULT)),
        help="milliseconds between ledgers",
    )
