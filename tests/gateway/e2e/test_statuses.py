"""Every line of protocol.md section 4, over real sockets."""

import asyncio
import hashlib
from typing import Any

import httpx
import pytest

from gateway.domain import ed25519
from gateway.domain.tokens import Charge, assemble, client_signing_input
from tests.gateway.e2e.upstreams import Reader, Request, Writer, raw, whole
from tests.gateway.e2e.world import GRANT_SEED, ISSUER, World, eventually, granted, token

OTHER_SEED = hashlib.sha256(b"somebody else").digest()
DATA = [{"kind": "data", "direction": "both", "bytes": 1000}]


async def ask(
    world: World, client: httpx.AsyncClient, presented: str | None, **options: Any
) -> Any:
    headers = {"apicharge": presented} if presented is not None else {}
    path = options.pop("path", "/a")
    method = options.pop("method", "GET")
    headers |= options.pop("headers", {})
    return await client.request(method, f"{world.url}{path}", headers=headers, **options)


async def test_valid_token_is_forwarded(world: World, client: httpx.AsyncClient) -> None:
    grant = world.grant()
    answer = await ask(world, client, token(grant), path="/a/b?q=1")
    assert (answer.status_code, answer.text) == (200, "hello")
    [request] = world.upstream.requests
    assert (request.method, request.target) == ("GET", "/base/a/b?q=1")
    await world.settled()
    assert world.used(grant) == 1


async def test_answer_says_what_is_left_and_until_when(
    world: World, client: httpx.AsyncClient
) -> None:
    grant = world.grant()
    answer = await ask(world, client, token(grant))
    assert answer.headers["ratelimit-policy"] == '"calls";q=1000'
    assert answer.headers["ratelimit"].startswith('"calls";r=999;t=')
    assert answer.headers["apicharge-expires"] == str(grant.expires_at)
    assert answer.headers["cache-control"] == "private"
    assert answer.headers["vary"] == "apicharge, authorization, cookie"
    assert answer.headers["content-security-policy"] == "sandbox"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_no_credential_is_402(world: World, client: httpx.AsyncClient) -> None:
    answer = await ask(world, client, None)
    assert answer.status_code == 402
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["type"] == f"{ISSUER}/problems/payment-required"
    assert world.upstream.requests == []


async def test_ended_grant_is_402(world: World, client: httpx.AsyncClient) -> None:
    grant = world.grant(not_before=1000, expires_at=2000)
    answer = await ask(world, client, token(grant))
    assert answer.status_code == 402
    assert answer.json()["type"] == f"{ISSUER}/problems/grant-expired"
    assert answer.json()["quotes"][0]["name"] == "Hour pass"


async def test_used_up_quota_is_402(world: World, client: httpx.AsyncClient) -> None:
    presented = token(world.grant(limits=[{"kind": "calls", "count": 1}]))
    assert (await ask(world, client, presented)).status_code == 200
    answer = await ask(world, client, presented)
    assert answer.status_code == 402
    assert answer.json()["type"] == f"{ISSUER}/problems/quota-exhausted"
    assert answer.headers["ratelimit"].startswith('"calls";r=0;')
    assert len(world.upstream.requests) == 1


@pytest.mark.parametrize(
    ("error", "damage"),
    [
        ("malformed", lambda whole: whole[: len(whole) // 2]),
        ("malformed", lambda whole: "nonsense"),
        ("malformed", lambda whole: ""),
        ("malformed", lambda whole: whole.partition("~")[0]),
        ("malformed", lambda whole: whole + "="),
        ("malformed", lambda whole: f"{whole}~{whole}"),
        ("malformed", lambda whole: "x" * 9000),
        ("bad_signature", lambda whole: whole[:-4] + ("AAAA" if whole[-4:] != "AAAA" else "BBBB")),
    ],
)
async def test_damaged_token_is_401(
    world: World, client: httpx.AsyncClient, error: str, damage: Any
) -> None:
    answer = await ask(world, client, damage(token(world.grant())))
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("ApiCharge error=")
    assert world.upstream.requests == []


async def test_unknown_key_is_401_while_keys_can_be_read(
    world: World, client: httpx.AsyncClient
) -> None:
    grant = world.grant()
    forged = granted(grant, seed=OTHER_SEED, kid="another")
    signed = client_signing_input(forged, expires_at=grant.expires_at)
    presented = f"{forged}~{assemble(signed, ed25519.sign(OTHER_SEED, signed))}"
    answer = await ask(world, client, presented)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'ApiCharge error="unknown_key"'


async def test_unknown_key_is_503_while_keys_cannot_be_read(
    world: World, client: httpx.AsyncClient
) -> None:
    grant = world.grant()
    known = token(grant)
    assert (await ask(world, client, known)).status_code == 200
    world.gate.routing._heard_at = -1000.0
    forged = granted(grant, seed=OTHER_SEED, kid="another")
    answer = await ask(world, client, f"{forged}~x.y.z")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert (await ask(world, client, known)).status_code == 200


async def test_revoked_grant_is_401(world: World, client: httpx.AsyncClient) -> None:
    grant = world.grant()
    world.revoke(grant)
    answer = await ask(world, client, token(grant))
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'ApiCharge error="revoked"'


async def test_revoked_token_is_401_and_its_siblings_work(
    world: World, client: httpx.AsyncClient
) -> None:
    grant = world.grant()
    world.revoke(grant, token="one")
    assert (await ask(world, client, token(grant, id="one"))).status_code == 401
    assert (await ask(world, client, token(grant, id="two"))).status_code == 200
    assert (await ask(world, client, token(grant))).status_code == 200


async def test_withdrawn_key_is_401(world: World, client: httpx.AsyncClient) -> None:
    presented = token(world.grant())
    assert (await ask(world, client, presented)).status_code == 200
    body = {**world.body(), "keys": {}}
    world.publish(body)
    await eventually(lambda: world.gate.routing.table.version == world.version)  # type: ignore[union-attr]
    assert (await ask(world, client, presented)).status_code == 401


@pytest.mark.parametrize("claim", ["issuer", "audience"])
async def test_other_audience_is_401(world: World, client: httpx.AsyncClient, claim: str) -> None:
    answer = await ask(world, client, token(world.grant(**{claim: "https://other.example"})))
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'ApiCharge error="wrong_audience"'


async def test_expired_client_token_is_401_and_says_so(
    world: World, client: httpx.AsyncClient
) -> None:
    answer = await ask(world, client, token(world.grant(), expires_in=-1))
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'ApiCharge error="token_expired"'


async def test_future_grant_is_401(world: World, client: httpx.AsyncClient) -> None:
    grant = world.grant()
    future = world.grant(not_before=grant.not_before + 1000)
    assert (await ask(world, client, token(future))).status_code == 401


@pytest.mark.parametrize(
    "scope",
    [{"methods": ["POST"]}, {"path": "/b"}, {"path": "/a/b"}, {"act": "manage"}],
    ids=str,
)
async def test_token_out_of_scope_is_403(
    world: World, client: httpx.AsyncClient, scope: dict[str, Any]
) -> None:
    answer = await ask(world, client, token(world.grant(), **scope))
    assert answer.status_code == 403
    assert world.upstream.requests == []


async def test_grant_for_another_route_is_403(world: World, client: httpx.AsyncClient) -> None:
    answer = await ask(world, client, token(world.grant()), path="/premium")
    assert answer.status_code == 403


async def test_used_up_window_is_429_with_retry_after(
    world: World, client: httpx.AsyncClient
) -> None:
    limits = [{"kind": "calls", "count": 1, "window_seconds": 100}]
    presented = token(world.grant(limits=limits))
    assert (await ask(world, client, presented)).status_code == 200
    answer = await ask(world, client, presented)
    assert answer.status_code == 429
    assert 90 <= int(answer.headers["retry-after"]) <= 100
    assert answer.headers["content-type"] == "application/problem+json"


async def test_no_such_route_is_404(world: World, client: httpx.AsyncClient) -> None:
    presented = token(world.grant())
    answer = await client.get(f"http://127.0.0.1:{world.port}/gate/nothing/a")
    assert answer.status_code == 404
    assert (await ask(world, client, presented, path="/premium", method="POST")).status_code == 404


async def test_unreachable_upstream_is_502_and_costs_nothing(
    world: World, client: httpx.AsyncClient
) -> None:
    grant = world.grant(charge=Charge.ALWAYS)
    world.publish(upstreams=[{"url": "http://127.0.0.1:1"}])
    answer = await ask(world, client, token(grant))
    assert answer.status_code == 502
    assert answer.json()["type"] == f"{ISSUER}/problems/upstream-unreachable"
    assert '"calls";r=1000;' in answer.headers["ratelimit"]
    await world.settled()
    assert world.used(grant) == 0


async def test_second_upstream_takes_over_when_the_first_is_unreachable(
    world: World, client: httpx.AsyncClient
) -> None:
    url = world.body()["services"][0]["upstreams"][0]["url"]
    world.publish(upstreams=[{"url": "http://127.0.0.1:1"}, {"url": url}])
    presented = token(world.grant())
    for _ in range(2):
        answer = await ask(world, client, presented, method="POST", content=b"x" * 1000)
        assert answer.status_code == 200


@pytest.mark.parametrize(("charge", "cost"), [(Charge.SUCCESS, 0), (Charge.ALWAYS, 1)])
async def test_silent_upstream_is_504(
    world: World, client: httpx.AsyncClient, charge: Charge, cost: int
) -> None:
    async def silent(request: Request, reader: Reader, writer: Writer) -> None:
        await reader.read()

    grant = world.grant(charge=charge)
    world.upstream.answering = silent
    world.publish(timeouts={"first_byte_ms": 300, "idle_ms": 300})
    answer = await ask(world, client, token(grant))
    assert answer.status_code == 504
    await asyncio.wait_for(world.upstream.closed[0].wait(), 5)
    await world.settled()
    assert world.used(grant) == cost


@pytest.mark.parametrize(("charge", "cost"), [(Charge.SUCCESS, 0), (Charge.ALWAYS, 1)])
async def test_upstream_error_passes_and_costs_what_the_terms_say(
    world: World, client: httpx.AsyncClient, charge: Charge, cost: int
) -> None:
    grant = world.grant(charge=charge, limits=[{"kind": "calls", "count": 9}, *DATA])
    world.upstream.answering = whole(b"x" * 100, "503 Busy")
    answer = await ask(world, client, token(grant))
    assert (answer.status_code, len(answer.content)) == (503, 100)
    await world.settled()
    assert world.used(grant) == cost
    assert world.used(grant, 1) == cost * 100


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 099 No\r\n\r\n"])
async def test_upstream_that_answers_no_http_is_502(
    world: World, client: httpx.AsyncClient, answer: bytes
) -> None:
    grant = world.grant()
    world.upstream.answering = raw(answer)
    assert (await ask(world, client, token(grant))).status_code == 502
    await world.settled()
    assert world.used(grant) == 0


async def test_unavailable_ledger_is_503(world: World, client: httpx.AsyncClient) -> None:
    grant = world.grant()
    world.ledger.is_down = True
    answer = await ask(world, client, token(grant))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    world.ledger.is_down = False
    assert (await ask(world, client, token(grant))).status_code == 200


async def test_token_without_a_ledger_is_401(world: World, client: httpx.AsyncClient) -> None:
    grant = world.grant()
    world.ledger.grants.clear()
    assert (await ask(world, client, token(grant))).status_code == 401


async def test_preflight_is_answered_free(world: World, client: httpx.AsyncClient) -> None:
    headers = {
        "origin": "https://page.example",
        "access-control-request-method": "PUT",
        "access-control-request-headers": "apicharge, x-other",
    }
    answer = await ask(world, client, None, method="OPTIONS", headers=headers)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-allow-methods"] == "PUT"
    assert answer.headers["access-control-allow-headers"] == "apicharge, x-other"
    assert world.upstream.requests == []


async def test_every_answer_can_be_read_across_origins(
    world: World, client: httpx.AsyncClient
) -> None:
    headers = {"origin": "https://page.example"}
    world.upstream.answering = whole(b"x", "200 OK", "Access-Control-Allow-Origin: https://mine")
    paid = await ask(world, client, token(world.grant()), headers=headers)
    unpaid = await ask(world, client, None, headers=headers)
    for answer in (paid, unpaid):
        assert answer.headers.get_list("access-control-allow-origin") == ["*"]


@pytest.mark.parametrize("scheme", ["ApiCharge", "apicharge", "Bearer"])
async def test_token_in_authorization(world: World, client: httpx.AsyncClient, scheme: str) -> None:
    headers = {"authorization": f"{scheme} {token(world.grant())}"}
    assert (await ask(world, client, None, headers=headers)).status_code == 200
    assert world.upstream.requests[0].values("authorization") == []


async def test_token_in_cookie_and_no_cookie_of_ours_reaches_the_upstream(
    world: World, client: httpx.AsyncClient
) -> None:
    cookie = f"sessionid=secret; apicharge={token(world.grant())}; mine=1; csrftoken=x"
    assert (await ask(world, client, None, headers={"cookie": cookie})).status_code == 200
    assert world.upstream.requests[0].values("cookie") == ["mine=1"]


async def test_foreign_bearer_passes_to_the_upstream(
    world: World, client: httpx.AsyncClient
) -> None:
    headers = {"authorization": "Bearer abc.def.ghi"}
    assert (await ask(world, client, None, headers=headers)).status_code == 402
    assert (await ask(world, client, token(world.grant()), headers=headers)).status_code == 200
    assert world.upstream.requests[0].values("authorization") == ["Bearer abc.def.ghi"]


async def test_first_credential_counts_and_all_are_removed(
    world: World, client: httpx.AsyncClient
) -> None:
    good = token(world.grant())
    headers = {"authorization": f"Bearer {good}", "cookie": f"apicharge={good}"}
    assert (await ask(world, client, "bad", headers=headers)).status_code == 401
    assert (await ask(world, client, good, headers=headers)).status_code == 200
    [request] = world.upstream.requests
    assert not any(good in value for _, value in request.headers)


async def test_bearer_grant_is_its_own_token(world: World, client: httpx.AsyncClient) -> None:
    grant = world.grant(access_key=None)
    assert (await ask(world, client, granted(grant, GRANT_SEED))).status_code == 200


async def test_unpaid_body_is_not_read(world: World, client: httpx.AsyncClient) -> None:
    answer = await ask(world, client, None, method="POST", content=b"x" * 100_000)
    assert answer.status_code == 402
    assert (await ask(world, client, None)).status_code == 402
