"""The console reads a request's body whole before it looks at it, so the body has a limit.

Django writes a body of any size to a temporary file first; what it limits comes after that. Gated
routes are not concerned: their bodies are streamed.
"""

import json

from apicharge_site.forwarded import Application
from gateway.asgi import Message, Receive, Reply, Scope, Send, answer
from gateway.domain.headers import header

# A form with a long description, several times over; the protocol's own bodies are far smaller.
BODY_BYTES_MAX = 1_048_576


class _TooLarge(Exception):
    pass


def bounded(application: Application, origin: str, *, limit: int = BODY_BYTES_MAX) -> Application:
    """`application`, with 413 for a body that is, or says that it will be, larger."""
    refusal = _refusal(origin, limit)

    async def answered(scope: Scope, receive: Receive, send: Send) -> None:
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > limit:
                raise _TooLarge
            return message

        if _declared(scope) > limit:
            await answer(send, refusal)
            return
        try:
            await application(scope, counted, send)
        except _TooLarge:
            await answer(send, refusal)

    return answered


def _declared(scope: Scope) -> int:
    length = header(scope["headers"], b"content-length") or ""
    return int(length) if length.isascii() and length.isdigit() else 0


def _refusal(origin: str, limit: int) -> Reply:
    problem = {
        "type": f"{origin}/problems/body-too-large",
        "title": "The body is too large",
        "status": 413,
        "detail": f"A body may have at most {limit} bytes here.",
    }
    headers = [(b"content-type", b"application/problem+json"), (b"cache-control", b"no-store")]
    return Reply(413, headers, json.dumps(problem).encode())
