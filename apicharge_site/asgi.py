"""The composition root: the gateway's raw callables and Django under one ASGI application.

What is mounted depends on the role: `gateway` answers gated routes and health checks and nothing
else, `console` the site and nothing gated, `all` both.
"""

import gc
import os
from collections.abc import Awaitable, Callable

from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "apicharge_site.settings")
Application = Callable[..., Awaitable[None]]
django_application: Application = get_asgi_application()

# Django's apps are loaded from here on.
from apicharge_site import bounding, forwarded, gating  # noqa: E402
from apicharge_site.behind import Behind  # noqa: E402
from apicharge_site.health import PATHS, Health  # noqa: E402
from apicharge_site.metrics import PATH as METRICS_PATH  # noqa: E402
from apicharge_site.metrics import Metrics  # noqa: E402
from billing.routing import LIVE_PAGES  # noqa: E402
from gateway.asgi import Receive, Reply, Scope, Send, answer, answer_handshake  # noqa: E402
from marketplace.looking import looks  # noqa: E402

gate = gating.mounted()
checks = {"database": gating.database_answers}
metrics = Metrics(settings.METRICS_TOKEN, gate.figures if gate is not None else tuple)
health = Health({**checks, "routes": gate.is_ready} if gate is not None else checks)
serves_site = settings.ROLE in {"all", "console"}
live_pages: Application = URLRouter(LIVE_PAGES)
site = Behind(bounding.bounded(django_application, settings.ORIGIN), looks)
OBJECTS_BEFORE_COLLECTION = 10_000
NOT_HERE = Reply(404, [(b"content-type", b"text/plain")], b"This node answers gated routes only.\n")
NO_SOCKET = Reply(404, [(b"content-type", b"text/plain")], b"There is no WebSocket here.\n")


def http(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
    if gate is not None and gate.owns(scope):
        return gate(scope, receive, send)
    if scope["path"] in PATHS:
        return health(scope, receive, send)
    if scope["path"] == METRICS_PATH:
        return metrics(scope, receive, send)
    if serves_site:
        return site(scope, receive, send)
    return answer(send, NOT_HERE)


async def websocket(scope: Scope, receive: Receive, send: Send) -> None:
    if gate is not None and gate.owns(scope):
        await gate.websocket(scope, receive, send)
    elif serves_site and any(page.pattern.match(scope["path"][1:]) for page in LIVE_PAGES):
        await live_pages(scope, receive, send)
    else:
        await answer_handshake(scope, send, NO_SOCKET)


async def lifespan(_scope: Scope, receive: Receive, send: Send) -> None:
    """A gate that cannot start is a process that must not be sent requests."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            if gate is not None:
                await gate.start()
            _leave_what_stays_alone()
            await send({"type": "lifespan.startup.complete"})
        else:
            if gate is not None:
                await gate.stop()
            await site.stop()
            await send({"type": "lifespan.shutdown.complete"})
            return


def _leave_what_stays_alone() -> None:
    """Garbage collection went through all imported modules again and again: 5 % of a gated call."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(OBJECTS_BEFORE_COLLECTION)


application = ProtocolTypeRouter(
    {
        "http": forwarded.behind(http, settings.TRUSTED_PROXIES),
        "websocket": forwarded.behind(websocket, settings.TRUSTED_PROXIES),
        "lifespan": lifespan,
    }
)


def routed(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
    """`application` without its coroutine, for servers that are told that it is ASGI 3."""
    handler: Application = application.application_mapping[scope["type"]]
    return handler(scope, receive, send)
