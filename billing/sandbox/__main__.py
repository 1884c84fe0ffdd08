"""`python -m billing.sandbox`: run the network until it is stopped."""

import argparse
import os
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from billing.sandbox import clock
from billing.sandbox.node import Node
from billing.sandbox.server import Sandbox
from billing.sandbox.storage import InUseError, Storage

HOST = "127.0.0.1"  # Whoever reaches it owns everything in it: never another address.
FILE = "sandbox.sqlite3"


class Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        assert sockets is not None
        port = sockets[0].getsockname()[1]
        print(f"Sandbox network ready on http://{HOST}:{port}", flush=True)  # noqa: T201


def run(*, home: Path, port: int, close_ms: int, signers: Sequence[bytes]) -> None:
    """Serve until interrupted. Raises InUseError or OSError when it cannot start."""
    storage = Storage(home / FILE)
    listener = socket.create_server((HOST, port))
    url = f"http://{HOST}:{listener.getsockname()[1]}"
    node = Node(storage, now_s=time.time(), signers=signers)
    app = Sandbox(node, url=url, close_ms=close_ms)
    config = uvicorn.Config(app, log_level="warning", lifespan="on", timeout_graceful_shutdown=2)
    try:
        Server(config).run(sockets=[listener])
    finally:
        listener.close()
        storage.close()


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


def main(arguments: Sequence[str]) -> str | None:
    """What went wrong, if anything."""
    parser = argparse.ArgumentParser(prog="python -m billing.sandbox", description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    add_arguments(parser)
    given = parser.parse_args(arguments)
    if os.environ.get("APICHARGE_PRODUCTION", "").lower() in {"1", "true", "yes", "on"}:
        return "The sandbox holds play money: it does not start under APICHARGE_PRODUCTION."
    try:
        run(home=given.home, port=given.port, close_ms=given.close_ms, signers=given.signer)
    except (InUseError, OSError) as problem:
        return str(problem)
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
