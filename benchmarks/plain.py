"""The same proxy without the gate: server, upstream client and headers are the product's own.

It identifies nobody, counts nothing and cuts nothing. `python -m benchmarks.plain PORT UPSTREAM`
"""

import gc
import sys

import uvicorn

from gateway.addresses import Policy
from gateway.asgi import Receive, Scope, Send
from gateway.domain.answers import pass_on
from gateway.domain.clusters import Cluster, Place
from gateway.domain.headers import sift
from gateway.domain.routes import Timeouts
from gateway.listening import HttpProtocol, sockets
from gateway.upstream import Asked, Upstreams

NO_COOKIES: frozenset[str] = frozenset()


class Plain:
    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._cluster = Cluster("plain", (Place(upstream),))
        policy = Policy.of(["127.0.0.1/32"])
        self._upstreams = Upstreams(policy, pool_idle_max=256)

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        head = sift(scope["headers"], NO_COOKIES)
        asked = Asked(
            cluster=self._cluster,
            timeouts=Timeouts(),
            method=scope["method"],
            path=scope["path"],
            query="",
            headers=head.forward,
            awaits_events=head.awaits_events,
        )
        answer = await self._upstreams.send(self._upstream, asked, None)
        items, _ = answer.headers()
        passed = pass_on(items, status=answer.status, own_host=True)
        start = {"type": "http.response.start", "status": answer.status, "headers": passed.headers}
        await send(start)
        left = passed.length
        while left != 0 and (chunk := await answer.read()) is not None:
            if left is not None:
                left -= len(chunk)
            await send({"type": "http.response.body", "body": bytes(chunk), "more_body": left != 0})
        if left is None:
            await send({"type": "http.response.body", "body": b""})


def main() -> None:
    port, upstream = int(sys.argv[1]), sys.argv[2]
    config = uvicorn.Config(
        Plain(upstream),
        http=HttpProtocol,
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
    )
    gc.freeze()
    gc.set_threshold(10_000)  # As apicharge_site.asgi does.
    uvicorn.Server(config).run(sockets=sockets("127.0.0.1", port))


if __name__ == "__main__":
    main()
