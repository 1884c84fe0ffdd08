"""The exchange of a code on a gate's host, as a raw ASGI answer."""

import time
from collections.abc import Callable

import pytest
from asgiref.sync import sync_to_async

from apicharge_site import exchanging
from billing import handing_over
from billing.handing_over import Place, Taken
from gateway.asgi import Reply
from tests.billing.api.speaking import access_token
from tests.billing.pages.conftest import Till, till  # noqa: F401 - a fixture
from tests.billing.working import BUYER

pytestmark = pytest.mark.django_db(transaction=True)
Work = Callable[[], tuple[Taken | None]]


async def here(work: Work) -> tuple[Taken | None] | None:
    return await sync_to_async(work)()


async def nobody_has_time(work: Work) -> tuple[Taken | None] | None:
    return None


async def asked(code: str, ask: exchanging.Ask = here, **changes: object) -> Reply:
    scope = {
        "method": "GET",
        "scheme": "https",
        "path": "/gate/weather/.apicharge/exchange",
        "query_string": f"code={code}".encode(),
        "headers": [(b"host", b"api.example")],
        **changes,
    }
    assert exchanging.is_exchange(scope)
    return await exchanging.reply(scope, ask)


@pytest.fixture
async def code(till: Till) -> str:  # noqa: F811
    def make() -> str:
        purchase = till.paid()
        token = access_token(purchase.granted.token, BUYER)
        place = Place(
            "https://api.example", "/gate/weather", "/gate/weather/f", "/gate/weather/f?a"
        )
        return handing_over.give(purchase, token, place, now_s=time.time()).partition("code=")[2]

    return await sync_to_async(make)()


async def test_code_becomes_a_cookie_of_the_route_and_leads_on(code: str) -> None:
    reply = await asked(code)
    headers = dict(reply.headers)
    assert (reply.status, headers[b"location"]) == (303, b"/gate/weather/f?a")
    name, *attributes = headers[b"set-cookie"].decode().split("; ")
    assert name.startswith("apicharge=ey")
    assert "Path=/gate/weather/f" in attributes
    assert {"HttpOnly", "SameSite=Lax", "Secure"} <= set(attributes)
    assert headers[b"cache-control"] == b"no-store"
    assert (await asked(code)).status == 410


async def test_plain_http_has_a_plain_cookie(code: str) -> None:
    headers = dict((await asked(code, scheme="http")).headers)
    assert b"Secure" not in headers[b"set-cookie"]


async def test_nothing_but_get_spends_it(code: str) -> None:
    for method in ("HEAD", "POST", "OPTIONS"):
        assert (await asked(code, method=method)).status == 405
    assert (await asked(code, nobody_has_time)).status == 503
    assert (await asked(code)).status == 303


@pytest.mark.parametrize("wrong", ["", "x" * 43, "x" * 42, "%00"])
async def test_what_is_no_code_is_gone(wrong: str) -> None:
    assert (await asked(wrong)).status == 410
