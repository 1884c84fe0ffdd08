"""The proxy without the gate is measured beside it, so it has to be one."""

import asyncio

import httpx
import uvicorn
from uvicorn.server import ServerState

from benchmarks.plain import Plain
from gateway.listening import HttpProtocol, listener
from tests.gateway.e2e.upstreams import Upstream
from tests.gateway.e2e.world import eventually


async def test_proxy_without_the_gate_passes_calls_on_both_ways(client: httpx.AsyncClient) -> None:
    upstream, state, bound = Upstream(), ServerState(), listener("127.0.0.1", 0)
    await upstream.start()
    plain = Plain(f"http://127.0.0.1:{upstream.port}")
    await plain.start()
    config = uvicorn.Config(plain, interface="asgi3", http=HttpProtocol, log_config=None)
    config.load()
    url = f"http://127.0.0.1:{bound.getsockname()[1]}"
    server = await asyncio.get_running_loop().create_server(
        lambda: HttpProtocol(config=config, server_state=state, app_state={}), sock=bound
    )
    try:
        got = await client.get(f"{url}/a%20b?c=d", headers={"apicharge": "not passed on"})
        put = await client.post(f"{url}/small", content=b"12345")
    finally:
        server.close()
        await client.aclose()
        await eventually(lambda: not state.connections)
        await plain.stop()
        await upstream.stop()
    assert (got.text, put.text) == ("hello", "hello")
    told = upstream.requests[0]
    assert told.target == "/a%20b?c=d"
    assert told.values("x-forwarded-for") == ["127.0.0.1"]
    assert told.values("apicharge") == []
    assert upstream.requests[1].values("content-length") == ["5"]
