"""Running the sandbox as a process."""

import argparse
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from billing.sandbox import clock
from billing.sandbox.faults import ALWAYS, Fault
from billing.sandbox.node import Node
from billing.sandbox.server import Sandbox
from billing.sandbox.storage import Storage

HOST = "127.0.0.1"  # Whoever reaches it owns everything in it: never another address.
FILE = "sandbox.sqlite3"
CONNECTIONS_MAX = 1_000
REFUSAL = "The sandbox holds play money: it does not start under APICHARGE_PRODUCTION."


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks of the network."""

    signers: Sequence[bytes] = ()
    close_ms: int | None = clock.CLOSE_MS_DEFAULT
    faults: Sequence[tuple[Fault, int | None]] = ()
    certificate: Path | None = None

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "Wanted":
        return cls(
            given["signer"],
            None if given["stepped"] else given["close_ms"],
            given["fault"],
            given["certificate"],
        )


class Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, url: str) -> None:
        super().__init__(config)
        self._url = url

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print(f"Sandbox network ready on {self._url}", flush=True)  # noqa: T201


def run(*, home: Path, port: int, wanted: Wanted) -> None:
    """Serve until interrupted. Raises InUseError or OSError when it cannot start."""
    # uvicorn raises the signal again once it has stopped; then this ends the process cleanly.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with (
        socket.create_server((HOST, port)) as listener,
        contextlib.closing(Storage(home / FILE)) as storage,
        contextlib.suppress(KeyboardInterrupt),
    ):
        scheme = "http" if wanted.certificate is None else "https"
        url = f"{scheme}://{HOST}:{listener.getsockname()[1]}"
        node = Node(storage, now_s=time.time(), signers=wanted.signers)
        sandbox = Sandbox(node, url=url, close_ms=wanted.close_ms)
        for fault, times in wanted.faults:
            sandbox.disturbed.switch_on(fault, times)
        config = uvicorn.Config(
            sandbox,
            log_level="warning",
            lifespan="on",
            limit_concurrency=CONNECTIONS_MAX,
            timeout_graceful_shutdown=2,
            ssl_certfile=wanted.certificate,
        )
        Server(config, url).run(sockets=[listener])


def signer(text: str) -> bytes:
    key = bytes.fromhex(text)
    if len(key) != 32:
        raise ValueError("an ed25519 public key has 32 bytes")
    return key


def fault(text: str) -> tuple[Fault, int | None]:
    name, _, times = text.partition(":")
    return Fault(name), int(times) if times else ALWAYS


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
        "--stepped",
        action="store_true",
        help="ledgers close, and time passes, only by POST /ledgers",
    )
    parser.add_argument(
        "--fault",
        action="append",
        type=fault,
        default=[],
        metavar="NAME[:TIMES]",
        help=f"on from the start; may be repeated: {', '.join(Fault)}",
    )
    parser.add_argument(
        "--certificate", type=Path, metavar="PEM", help="serve https, with this chain and key"
    )
    parser.add_argument(
        "--close-ms",
        type=close_interval,
        default=os.environ.get("APICHARGE_SANDBOX_CLOSE_MS", str(clock.CLOSE_MS_DEFAULT)),
        help="milliseconds between ledgers",
    )
