"""Flows that work with blocking and with async clients: generators that say what they need next.

A flow yields a step and is sent its result. The same flow runs under `run`, or inside the two
flavours of httpx.Auth (auth.py). A flow that is closed early releases its locks in `finally`.
"""

import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import anyio
import httpx

from apicharge_client.errors import Unreachable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pause:
    seconds: float


@dataclass(frozen=True, slots=True)
class Ask:
    """A request of our own to the gateway: its answer is read whole."""

    request: httpx.Request


@dataclass(frozen=True, slots=True)
class Forward:
    """The caller's request: its answer is left unread, it may be a long stream."""

    request: httpx.Request


@dataclass(frozen=True, slots=True)
class Read:
    """Now read that answer after all."""

    response: httpx.Response


@dataclass(frozen=True, slots=True)
class Buffer:
    """Read the caller's request body into memory, so that it can be sent again."""

    request: httpx.Request


Step: TypeAlias = Pause | Ask | Forward | Read | Buffer
Steps: TypeAlias = Generator[Step, httpx.Response | None, T]


def pause(seconds: float) -> Steps[None]:
    yield Pause(seconds)


def ask(request: httpx.Request) -> Steps[httpx.Response]:
    return (yield from _answered(Ask(request)))


def forward(request: httpx.Request) -> Steps[httpx.Response]:
    return (yield from _answered(Forward(request)))


def read(response: httpx.Response) -> Steps[httpx.Response]:
    return (yield from _answered(Read(response)))


def buffer(request: httpx.Request) -> Steps[None]:
    yield Buffer(request)


def _answered(step: Ask | Forward | Read) -> Steps[httpx.Response]:
    response = yield step
    assert response is not None
    return response


def run(flow: Steps[T], client: httpx.Client) -> T:
    result: httpx.Response | None = None
    place = ""
    try:
        while True:
            step = flow.send(result)
            if isinstance(step, Ask | Forward):
                place = step.request.url.netloc.decode()
                result = client.send(step.request, stream=isinstance(step, Forward))
            else:
                result = blocking(step)
    except StopIteration as stop:
        value: T = stop.value
        return value
    except httpx.TransportError as exc:
        raise Unreachable(
            f"No answer from {place}: {exc}.",
            "Try again: what was signed is kept and never signed twice.",
        ) from exc
    finally:
        flow.close()


def blocking(step: Pause | Read | Buffer) -> httpx.Response | None:
    if isinstance(step, Pause):
        time.sleep(step.seconds)
        return None
    if isinstance(step, Read):
        step.response.read()
        return step.response
    step.request.read()
    return None


async def awaiting(step: Pause | Read | Buffer) -> httpx.Response | None:
    if isinstance(step, Pause):
        await anyio.sleep(step.seconds)
        return None
    if isinstance(step, Read):
        await step.response.aread()
        return step.response
    await step.request.aread()
    return None
