"""One POST to a stranger's server: to a checked address, bounded in time and in what is read.

No redirects, no proxies, no cookies. What the answer says is its status; its body is not kept.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import httpx

from billing.webhooks.registering import place_of, policy
from gateway.addresses import AddressRefused, Unresolvable, resolve

SECONDS = 10.0
CONNECT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Message:
    url: str
    headers: Mapping[str, str]
    body: bytes
    is_sellers: bool = False
    """A provider's endpoint, which may be where upstreams may."""


@dataclass(frozen=True, slots=True)
class Outcome:
    status: int | None
    took_ms: int
    problem: str = ""


def send_all(messages: Sequence[Message]) -> list[Outcome]:
    """All at once: the slowest takes `SECONDS`, and so does the whole."""
    return asyncio.run(_send_all(messages))


async def _send_all(messages: Sequence[Message]) -> list[Outcome]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_send(message)) for message in messages]
    return [task.result() for task in tasks]


async def _send(message: Message) -> Outcome:
    started = time.monotonic()
    status, problem = None, ""
    try:
        async with asyncio.timeout(SECONDS):
            status = await _post(message)
    except TimeoutError:
        problem = f"No answer within {SECONDS:.0f} seconds."
    except (AddressRefused, Unresolvable, httpx.InvalidURL, ValueError) as exc:
        problem = str(exc)
    except httpx.TransportError as exc:
        problem = f"{type(exc).__name__}: {exc}".removesuffix(": ")
    return Outcome(status, round((time.monotonic() - started) * 1000), problem[:200])


async def _post(message: Message) -> int:
    place = place_of(message.url)
    address = str((await resolve(place, policy(is_seller=message.is_sellers)))[0])
    named = httpx.URL(message.url)
    async with httpx.AsyncClient(
        timeout=httpx.Timeout(SECONDS, connect=CONNECT_SECONDS),
        trust_env=False,
        follow_redirects=False,
    ) as client:
        request = client.build_request(
            "POST",
            named.copy_with(host=address),
            content=message.body,
            headers={**message.headers, "host": named.netloc.decode()},
            extensions={"sni_hostname": place.host},
        )
        answer = await client.send(request, stream=True)
        await answer.aclose()
        return answer.status_code
