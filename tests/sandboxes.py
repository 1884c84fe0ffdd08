"""Sandbox networks for tests: each its own process on a free port, with its own ledger file."""

import contextlib
import os
import select
import signal
import ssl
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx

from tests import nursery

ROOT = Path(__file__).parents[1]
READY_WITHIN_S = 20.0
STOP_WITHIN_S = 10.0


class SandboxDidNotStart(RuntimeError):
    pass


@dataclass(slots=True)
class RunningSandbox:
    url: str
    home: Path
    process: nursery.Child
    said: IO[str]
    verify: ssl.SSLContext | bool = True

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def fund(self, account: str, *assets: str) -> None:
        """Lumens for `account`, and a trustline and 1,000 units of each asset."""
        for asset in assets or (None,):
            query = {"addr": account} | ({} if asset is None else {"asset": asset})
            url = f"{self.url}/friendbot"
            httpx.get(url, params=query, timeout=40, verify=self.verify).raise_for_status()

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """As the machine would: no goodbye, nothing flushed."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.wait(STOP_WITHIN_S)
        self.said.close()


def start_sandbox(
    home: Path, *words: str, close_ms: int = 50, signers: Sequence[bytes] = (), port: int = 0
) -> RunningSandbox:
    """`signers` are the public keys whose quotes the purchase contract accepts."""
    arguments = ["--home", str(home), "--port", str(port), "--close-ms", str(close_ms)]
    arguments += words
    for signer in signers:
        arguments += ["--signer", signer.hex()]
    reading, writing = os.pipe()
    process = nursery.start("billing.sandbox", *arguments, output=writing, errors=2)
    os.close(writing)
    said = os.fdopen(reading)
    line = _first_line(process, said)
    if not line.startswith("Sandbox network ready on "):
        process.kill()
        process.wait(STOP_WITHIN_S)
        said.close()
        raise SandboxDidNotStart(line or f"exit status {process.returncode}")
    return RunningSandbox(line.rpartition(" ")[2].strip(), home, process, said)


@contextlib.contextmanager
def running_sandbox(
    home: Path, *words: str, close_ms: int = 50, signers: Sequence[bytes] = ()
) -> Iterator[RunningSandbox]:
    sandbox = start_sandbox(home, *words, close_ms=close_ms, signers=signers)
    try:
        yield sandbox
    finally:
        sandbox.stop()


def _first_line(process: nursery.Child, said: IO[str]) -> str:
    """What the process says first; empty when it ends or stays silent."""
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        ready, _, _ = select.select([said], [], [], 0.1)
        if ready:
            return said.readline()
        if process.poll() is not None:
            return ""
    return ""
