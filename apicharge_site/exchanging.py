"""`<service>/.apicharge/exchange?code=…` on a gate's host: a code for that route's cookie.

Answered by the process that serves the gate, before the gate looks: the request has no token yet,
and an old cookie must not send the code to an upstream. It needs the database and no key, so a
gateway node answers it, too.
"""

import time
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs

from billing import handing_over
from billing.handing_over import EXCHANGE, Taken
from gateway.asgi import Reply, Scope
from gateway.domain.headers import TOKEN_COOKIE, header

Ask = Callable[[Callable[[], tuple[Taken | None]]], Awaitable[tuple[Taken | None] | None]]
PLAIN = [
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-type", b"text/plain; charset=utf-8"),
]
BUSY = Reply(503, [*PLAIN, (b"retry-after", b"1")], b"Too many exchanges at once: try again.\n")
NOT_ALLOWED = Reply(405, [*PLAIN, (b"allow", b"GET")], b"Open this address in a browser.\n")
SPENT = Reply(
    410,
    PLAIN,
    b"This address was used, or is more than a minute old, or is for another place.\n"
    b"Go back to the page of your purchase: it makes another.\n",
)


def is_exchange(scope: Scope) -> bool:
    path: str = scope["path"]
    return path.endswith(EXCHANGE)


async def reply(scope: Scope, ask: Ask) -> Reply:
    """Nothing but GET spends a code: previews of links ask by HEAD."""
    if scope["method"] != "GET":
        return NOT_ALLOWED
    query = parse_qs(scope["query_string"].decode("latin-1"))
    code = next(iter(query.get("code", [])), "")
    if handing_over.CODE.fullmatch(code) is None:
        return SPENT
    host = header(scope["headers"], b"host") or ""
    base, now_s = scope["path"].removesuffix(EXCHANGE), time.time()
    found = await ask(lambda: (handing_over.take(code, host=host, base=base, now_s=now_s),))
    if found is None:
        return BUSY
    return SPENT if found[0] is None else _onward(found[0], is_secure=scope["scheme"] == "https")


def _onward(taken: Taken, *, is_secure: bool) -> Reply:
    cookie = (
        f"{TOKEN_COOKIE}={taken.token}; Path={taken.cookie_path}; Max-Age={taken.seconds}; "
        f"HttpOnly; SameSite=Lax{'; Secure' if is_secure else ''}"
    )
    headers = [(b"location", taken.back.encode("ascii")), (b"set-cookie", cookie.encode("ascii"))]
    return Reply(303, [*PLAIN, *headers])
