"""The same proxy without the gate: what any streaming reverse proxy does, and nothing of ours.

Server, upstream client, headers, the conversation with both sides, its timeouts and its ear for a
client that leaves are the product's own. Nobody is identified, admitted, charged or told limits.
`python -m benchmarks.plain PORT UPSTREAM`
"""

import gc
import sys
from collections.abc import Awaitable

import uvicorn

from gateway.addresses import Policy
from gateway.asgi import Receive, Reply, Scope, Send, answer
from gateway.calling import Calling
from gateway.domain.clusters import Cluster, Place
from gateway.domain.exchange import End
from gateway.domain.headers import forwarding, sift
from gateway.domain.paths import canonical, canonical_query
from gateway.domain.routes import Timeouts
from gateway.listening import HttpProtocol, sockets
from gateway.relaying import Relay
from gateway.terms import Terms
from gateway.upstream import Asked, Upstreams
from gateway.watching import Watch

NO_COOKIES: frozenset[str] = frozenset()
BAD_GATEWAY = Reply(502, [(b"content-type", b"text/plain")], b"The upstream did not answer.\n")


class Free(Terms):
    """The terms of nobody: everything passes, for ever, and costs nothing."""

    timeouts = Timeouts()
    own_host = True

    def __init__(self) -> None:
        self.reservation = self

    def ends_in(self) -> tuple[float, End]:
        return float("inf"), End.EXPIRED

    def take_bytes(self, _direction: object, wanted: int) -> int:
        return wanted

    def give_back_bytes(self, _direction: object, _units: int) -> None:
        pass

    def headers(self) -> tuple[()]:
        return ()

    def lines(self) -> bytes:
        return b""

    def settle(self, *_ended: object) -> None:
        pass


class Plain:
    def __init__(self, upstream: str) -> None:
        self._cluster = Cluster("plain", (Place(upstream),))
        self._upstreams = Upstreams(Policy.of(["127.0.0.1/32"]), pool_idle_max=256)
        self._calling = Calling(self._upstreams)
        self._watch = Watch(lambda _ended: None)
        self._terms = Free()

    async def start(self) -> None:
        self._watch.start()

    async def stop(self) -> None:
        await self._watch.stop()
        await self._upstreams.close()

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "lifespan":
            return self._lifespan(receive, send)
        head = sift(scope["headers"], NO_COOKIES)
        if head.length is not None and not head.chunked:
            head.forward.append(("content-length", str(head.length)))
        head.forward += forwarding(scope["client"][0], scope["scheme"], head.host)
        raw_query = scope["query_string"]
        asked = Asked(
            self._cluster,
            self._terms.timeouts,
            scope["method"],
            canonical(scope["raw_path"]).decode(),
            canonical_query(raw_query) if raw_query else "",
            head.forward,
            head.awaits_events,
        )
        relay = Relay(scope, receive, send, head, self._terms)
        carrying = relay.carry(asked, self._calling.send, self._watch)
        return relay.run(carrying, self._watch, self._tell)

    async def _tell(self, relay: Relay) -> None:
        if relay.is_answered or relay.end is End.CLIENT_GONE:
            await relay.farewell("")
        else:
            await answer(relay.send, BAD_GATEWAY)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while (await receive())["type"] == "lifespan.startup":
            await self.start()
            await send({"type": "lifespan.startup.complete"})
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})


def main() -> None:
    port, upstream = int(sys.argv[1]), sys.argv[2]
    config = uvicorn.Config(
        Plain(upstream),
        interface="asgi3",
        http=HttpProtocol,
        ws="none",
        lifespan="on",
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
