"""Credits priced by tokens: the openai SDK, a model server of ours, and the gate between them."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import openai
import pytest

from gateway.domain.tokens import Grant
from tests.gateway.e2e.upstreams import Answering, Reader, Request, Writer, read_body, whole
from tests.gateway.e2e.world import World, eventually

USAGE = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
PRICES = [
    {"of": "tokens_in", "credits": 1, "units": 10},
    {"of": "tokens_out", "credits": 2},
]
SAYS: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}], "model": "m"}


def credits(total: int = 100, most: int = 10, per_unit: Any = PRICES) -> list[dict[str, Any]]:  # noqa: A001
    limit = {"kind": "credits", "credits": total, "per_call": 0, "max_per_call": most}
    return [limit | {"per_unit": per_unit}]


def chunk(text: str | None, usage: object = None) -> bytes:
    choices = [] if text is None else [{"index": 0, "delta": {"content": text}}]
    body = {
        "id": "c",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": choices,
        "usage": usage,
    }
    return b"data: " + json.dumps(body).encode() + b"\n\n"


class Model:
    """A model server: says `texts`, then what they used where it was asked to."""

    def __init__(self, *texts: str, then: Callable[[], Any] | None = None) -> None:
        self.texts = texts
        self.asked: list[dict[str, Any]] = []
        self.requests: list[Request] = []
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self.then = then

    async def __call__(self, request: Request, reader: Reader, writer: Writer) -> None:
        body = json.loads(await read_body(request, reader))
        self.asked.append(body)
        self.requests.append(request)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
        writer.write(b"Transfer-Encoding: chunked\r\n\r\n")
        for text in self.texts:
            await self.may_go_on.wait()
            await self.say(writer, chunk(text))
            await asyncio.sleep(0.02)
        if self.then is not None:
            await self.then()
        if body.get("stream_options", {}).get("include_usage"):
            await self.say(writer, chunk(None, USAGE))
        await self.say(writer, b"data: [DONE]\n\n")
        writer.write(b"0\r\n\r\n")

    async def say(self, writer: Writer, event: bytes) -> None:
        writer.write(b"%x\r\n%s\r\n" % (len(event), event))
        await writer.drain()


@pytest.fixture
async def sdk(world: World) -> AsyncIterator[Callable[[Grant], openai.AsyncOpenAI]]:
    clients: list[openai.AsyncOpenAI] = []

    def made(grant: Grant) -> openai.AsyncOpenAI:
        http = openai.DefaultAsyncHttpxClient(trust_env=False, timeout=20)
        clients.append(
            openai.AsyncOpenAI(
                api_key=world.token(grant),
                base_url=f"{world.url}/v1",
                http_client=http,
                max_retries=0,
            )
        )
        return clients[-1]

    yield made
    for client in clients:
        await client.close()


Sdk = Callable[[Grant], openai.AsyncOpenAI]


def sold(world: World, answering: Answering, **terms: Any) -> Grant:
    world.upstream.answering = answering
    return world.grant(limits=credits(**terms), meter={"kind": "usage"})


async def said(client: openai.AsyncOpenAI, **options: Any) -> list[Any]:
    stream = await client.chat.completions.create(stream=True, **SAYS, **options)
    return [each async for each in stream]


async def test_sdk_streams_through_the_gate_and_tokens_are_charged(world: World, sdk: Sdk) -> None:
    model = Model("Hel", "lo", "!")
    grant = sold(world, model)
    chunks = await said(sdk(grant))
    assert [each.choices[0].delta.content for each in chunks] == ["Hel", "lo", "!"]
    await world.settled()
    assert world.used(grant) == 7  # 9 in, a tenth of a credit each; 3 out, two each; rounded up.
    assert model.asked[0]["stream_options"] == {"include_usage": True}
    assert model.requests[0].values("accept-encoding") == []


async def test_client_that_asks_for_usage_gets_it(world: World, sdk: Sdk) -> None:
    grant = sold(world, Model("a"))
    chunks = await said(sdk(grant), stream_options={"include_usage": True})
    assert chunks[-1].usage.completion_tokens == 3
    await world.settled()
    assert world.used(grant) == 7


async def test_chunks_stay_apart_as_they_were_sent(world: World, client: httpx.AsyncClient) -> None:
    """Each is at the client before the next one is sent."""
    model = Model("a", "b", "c")
    grant = sold(world, model)
    pieces = []
    headers = {"apicharge": world.token(grant)}
    body = {**SAYS, "stream": True}
    url = f"{world.url}/v1/chat/completions"
    async with client.stream("POST", url, json=body, headers=headers) as answer:
        async for piece in answer.aiter_raw():
            pieces.append(piece)  # noqa: PERF401 - one at a time
    assert pieces[:3] == [chunk("a"), chunk("b"), chunk("c")]
    assert b"".join(pieces[3:]) == b"data: [DONE]\n\n"


async def test_whole_answer_is_charged_by_its_usage(world: World, sdk: Sdk) -> None:
    completion = {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "x"}}
        ],
        "usage": USAGE,
    }
    grant = sold(
        world,
        whole(json.dumps(completion).encode(), "200 OK", "Content-Type: application/json"),
    )
    answer = await sdk(grant).chat.completions.create(**SAYS)
    assert answer.usage is not None
    await world.settled()
    assert world.used(grant) == 7


async def test_stream_reserves_again_and_is_cut_when_no_credits_are_left(
    world: World, client: httpx.AsyncClient
) -> None:
    model = Model(*["a"] * 50)
    grant = sold(world, model, total=12, most=4)
    headers = {"apicharge": world.token(grant)}
    url, got = f"{world.url}/v1/chat/completions", b""
    try:
        async with client.stream(
            "POST", url, json={**SAYS, "stream": True}, headers=headers
        ) as answer:
            async for piece in answer.aiter_raw():
                got += piece
    except httpx.RemoteProtocolError:
        pass
    assert got.count(b'"content": "a"') == 6
    assert b"event: error\ndata: " in got
    assert b"/problems/quota-exhausted" in got
    await world.settled()
    # Tokens in were never reported, so all that was reserved stands.
    assert world.used(grant) == 12


async def test_abandoned_stream_settles_at_what_was_delivered(
    world: World, client: httpx.AsyncClient
) -> None:
    model = Model("a", "b", "c", then=lambda: asyncio.sleep(30))
    world.upstream.answering = model
    outs = {"of": "tokens_out", "credits": 2}
    grant = world.grant(limits=credits(most=50, per_unit=outs), meter={"kind": "usage"})
    headers = {"apicharge": world.token(grant)}
    url, got = f"{world.url}/v1/chat/completions", b""
    async with client.stream("POST", url, json={**SAYS, "stream": True}, headers=headers) as answer:
        async for piece in answer.aiter_raw():
            got += piece
            if got.count(b'"content"') == 3:
                break
    await world.settled()
    assert world.used(grant) == 6


async def test_answer_that_reports_nothing_costs_what_was_reserved(
    world: World, client: httpx.AsyncClient
) -> None:
    grant = sold(world, whole(b"<p>hi</p>", "200 OK", "Content-Type: text/html"))
    await client.get(f"{world.url}/x", headers={"apicharge": world.token(grant)})
    await world.settled()
    assert world.used(grant) == 10


async def test_refused_call_costs_what_a_call_costs(
    world: World, client: httpx.AsyncClient
) -> None:
    grant = sold(world, whole(b"{}", "400 Bad Request", "Content-Type: application/json"))
    await client.get(f"{world.url}/x", headers={"apicharge": world.token(grant)})
    await world.settled()
    assert world.used(grant) == 0


async def test_pointer_and_bytes_price_any_json(world: World, client: httpx.AsyncClient) -> None:
    body = b'{"cost": {"words": 5}}'
    world.upstream.answering = whole(body, "200 OK", "Content-Type: application/json")
    prices = [{"of": "tokens_out", "credits": 1}, {"of": "bytes", "credits": 1, "units": 11}]
    meter = {"kind": "json", "tokens_out": "/cost/words"}
    grant = world.grant(limits=credits(per_unit=prices), meter=meter)
    answer = await client.get(f"{world.url}/x", headers={"apicharge": world.token(grant)})
    assert answer.content == body
    await eventually(lambda: world.used(grant) == 7)
