"""`/livez`: the loop turns. `/readyz`: this process should be sent requests; 503 while it drains.

Raw ASGI, mounted before everything else: a gateway node without Django's pages has them too.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Check = Callable[[], Awaitable[bool]]

CHECK_SECONDS = 2.0
PATHS = frozenset({"/livez", "/readyz"})


class Health:
    """Answers for this process. `draining` is set once, when it has been told to end."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self.draining = False
        self._checks = checks

    async def __call__(self, scope: Message, _receive: Receive, send: Send) -> None:
        failed = [] if scope["path"] == "/livez" else await self._failed()
        document = {"status": "failing" if failed else "ok", "failed": failed}
        body = json.dumps(document).encode() + b"\n"
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
        ]
        status = 503 if failed else 200
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _failed(self) -> list[str]:
        if self.draining:
            return ["draining"]
        passed = await asyncio.gather(*(_passes(check) for check in self._checks.values()))
        return [name for name, ok in zip(self._checks, passed, strict=True) if not ok]


async def _passes(check: Check) -> bool:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await check()
    except TimeoutError:
        return False
