"""The proxy without the gate is measured beside it, so it has to be one."""

import httpx

from benchmarks.plain import Plain
from tests.gateway.e2e.upstreams import Upstream


async def test_proxy_without_the_gate_passes_calls_on_both_ways() -> None:
    upstream = Upstream()
    await upstream.start()
    plain = Plain(f"http://127.0.0.1:{upstream.port}")
    await plain.start()
    transport = httpx.ASGITransport(app=plain)
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://plain") as client:
            got = await client.get("/a%20b?c=d", headers={"apicharge": "not passed on"})
            put = await client.post("/small", content=b"12345")
    finally:
        await plain.stop()
        await upstream.stop()
    assert (got.text, put.text) == ("hello", "hello")
    told = upstream.requests[0]
    assert told.target == "/a%20b?c=d"
    assert told.values("x-forwarded-for") == ["127.0.0.1"]
    assert told.values("apicharge") == []
    assert upstream.requests[1].values("content-length") == ["5"]
