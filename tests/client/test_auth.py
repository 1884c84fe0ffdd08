import asyncio
import base64
import json
import time
from collections.abc import Callable

import httpx
import pytest
from apicharge_client import ApiChargeAuth, Buyer
from apicharge_client.errors import InstructionRefused, NotAffordable

from tests.client.gateways import FakeGateway
from tests.client.instructions import STRANGER, Proposal, signed_quote


def client_of(buyer: Buyer, **options: int) -> httpx.Client:
    return httpx.Client(auth=ApiChargeAuth(buyer, **options))


def own_claims(token: str) -> dict[str, int]:
    return json.loads(base64.urlsafe_b64decode(token.split("~")[1].split(".")[1] + "=="))


def test_402_is_bought_and_the_call_answered(buyer: Buyer, gateway: FakeGateway) -> None:
    with client_of(buyer) as client:
        response = client.get(gateway.url)
    assert response.json() == {"weather": "fine", "path": "/gate/weather/forecast"}
    assert [bool(token) for _, _, token, _ in gateway.calls] == [False, True]


def test_grant_is_used_for_the_calls_that_follow(buyer: Buyer, gateway: FakeGateway) -> None:
    with client_of(buyer) as client:
        for _ in range(3):
            assert client.get(gateway.url).status_code == 200
    assert gateway.signed == 1
    assert len(gateway.calls) == 4
    assert len({token for _, _, token, _ in gateway.calls[1:]}) == 1


def test_next_process_uses_the_grant_at_once(
    another: Callable[..., Buyer], gateway: FakeGateway
) -> None:
    for _ in range(2):
        with client_of(another()) as client:
            assert client.get(gateway.url).status_code == 200
    assert [bool(token) for _, _, token, _ in gateway.calls] == [False, True, True]


def test_used_up_grant_is_bought_again_within_the_total(buyer: Buyer, gateway: FakeGateway) -> None:
    with client_of(buyer) as client:
        for _ in range(5):
            assert client.get(gateway.url).status_code == 200
    assert gateway.signed == 2
    assert buyer.budget.spent == {"USDC": 5_000_000}


def test_total_budget_ends_the_buying(another: Callable[..., Buyer], gateway: FakeGateway) -> None:
    with client_of(another("USDC:0.25")) as client:
        for _ in range(3):
            assert client.get(gateway.url).status_code == 200
        with pytest.raises(NotAffordable):
            client.get(gateway.url)
    assert gateway.signed == 1


def test_without_a_key_the_402_is_the_callers(buyer: Buyer, gateway: FakeGateway) -> None:
    buyer.key = None
    with client_of(buyer) as client:
        response = client.get(gateway.url)
    assert response.status_code == 402
    assert response.json()["route"] == "weather/forecast"
    assert gateway.purchases == {}


def test_without_a_key_what_is_held_is_used_at_another_path(
    buyer: Buyer, another: Callable[..., Buyer], gateway: FakeGateway
) -> None:
    with client_of(buyer) as client:
        client.get(gateway.url)
    keyless = another()
    keyless.key = None
    with client_of(keyless) as client:
        assert client.get(f"{gateway.url}/tomorrow").status_code == 200
    assert gateway.signed == 1


def test_402_in_another_form_names_its_route_in_a_link(buyer: Buyer, gateway: FakeGateway) -> None:
    gateway.in_html = True
    with client_of(buyer) as client:
        assert client.get(gateway.url, headers={"Accept": "text/html"}).status_code == 200
    assert gateway.signed == 1


def test_402_of_somebody_else_is_the_callers(buyer: Buyer, gateway: FakeGateway) -> None:
    gateway.challenge = lambda: (402, {"error": "pay me"}, {})
    with client_of(buyer) as client:
        assert client.get(gateway.url).json() == {"error": "pay me"}
    assert gateway.purchases == {}


def test_lying_gateway_gets_no_signature(buyer: Buyer, gateway: FakeGateway) -> None:
    lie = Proposal(signed_quote(), buyer=STRANGER).document()
    gateway.tamper = lambda honest: {**lie, "id": honest["id"]}
    with client_of(buyer) as client, pytest.raises(InstructionRefused):
        client.get(gateway.url)
    assert gateway.signed == 0


def test_expired_token_is_derived_anew_by_the_gateways_clock(
    buyer: Buyer, gateway: FakeGateway
) -> None:
    with client_of(buyer) as client:
        assert client.get(gateway.url).status_code == 200
        gateway.clock_ahead_s = 1_000
        assert client.get(gateway.url).status_code == 200
    assert gateway.signed == 1
    last = own_claims(gateway.calls[-1][2])
    assert last["exp"] > time.time() + 1_200


def test_token_lives_as_long_as_was_said(buyer: Buyer, gateway: FakeGateway) -> None:
    with client_of(buyer, token_seconds=30) as client:
        client.get(gateway.url)
    assert 20 <= own_claims(gateway.calls[-1][2])["exp"] - time.time() <= 30


def test_address_that_went_to_another_route_is_asked_again(
    buyer: Buyer, gateway: FakeGateway
) -> None:
    with client_of(buyer) as client:
        client.get(gateway.url)
        gateway.route = "weather/tomorrow"
        gateway.quotes = [signed_quote(route="weather/tomorrow")]
        assert client.get(gateway.url).status_code == 200
    assert [grant.route for held in buyer.store.all() for grant in held.grants] in (
        ["weather/forecast", "weather/tomorrow"],
        ["weather/tomorrow", "weather/forecast"],
    )


def test_body_is_sent_again_after_the_purchase(buyer: Buyer, gateway: FakeGateway) -> None:
    def body() -> object:
        yield b"one "
        yield b"two"

    with client_of(buyer) as client:
        headers = {"Content-Length": "7"}
        assert client.post(gateway.url, content=body(), headers=headers).status_code == 200
    assert [call[3] for call in gateway.calls] == [b"one two", b"one two"]


def test_own_authorization_of_the_caller_is_left_alone(buyer: Buyer, gateway: FakeGateway) -> None:
    with client_of(buyer) as client:
        headers = {"Authorization": "Bearer for-the-upstream"}
        assert client.get(gateway.url, headers=headers).status_code == 200
    assert gateway.headers[-1]["authorization"] == "Bearer for-the-upstream"
    assert gateway.headers[-1]["apicharge"]


def test_other_origin_gets_no_token(buyer: Buyer, gateway: FakeGateway) -> None:
    with client_of(buyer) as client:
        client.get(gateway.url)
        alias = gateway.url.replace("127.0.0.1", "localhost")
        buyer.budget.spent["USDC"] = 10**9
        with pytest.raises(NotAffordable):
            client.get(alias)
    assert gateway.calls[-1][2] == ""


async def test_async_client_buys_and_calls(buyer: Buyer, gateway: FakeGateway) -> None:
    async with httpx.AsyncClient(auth=ApiChargeAuth(buyer)) as client:
        assert (await client.get(gateway.url)).status_code == 200
        gateway.clock_ahead_s = 1_000
        assert (await client.get(gateway.url)).status_code == 200
    assert gateway.signed == 1


async def test_async_calls_at_once_pay_once(
    another: Callable[..., Buyer], gateway: FakeGateway
) -> None:
    gateway.calls_per_grant, gateway.delay_s = 100, 0.01
    auth = ApiChargeAuth(another())
    async with httpx.AsyncClient(auth=auth) as client, asyncio.TaskGroup() as group:
        calls = [group.create_task(client.get(gateway.url)) for _ in range(10)]
        responses = [await call for call in calls]
    assert {response.status_code for response in responses} == {200}
    assert len(gateway.purchases) == 1


async def test_async_body_is_sent_again_after_the_purchase(
    buyer: Buyer, gateway: FakeGateway
) -> None:
    async def body() -> object:
        yield b"three"

    async with httpx.AsyncClient(auth=ApiChargeAuth(buyer)) as client:
        headers = {"Content-Length": "5"}
        response = await client.post(gateway.url, content=body(), headers=headers)
    assert response.status_code == 200
    assert [call[3] for call in gateway.calls] == [b"three", b"three"]
