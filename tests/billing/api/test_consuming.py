"""The provider's server books what a running stream consumed."""

import hashlib
import hmac
import json
import time
from typing import Any

import pytest

from gateway.domain.limits import Calls, Credits
from gateway.domain.tokens import Grant
from gateway.models import Booking, LimiterLedger
from marketplace.models import Service
from tests.billing.api.speaking import Api, Said
from tests.gateway.selling import sell, used
from tests.marketplace.shop import provider, service

SECRET = "5ec2e7" * 10 + "abcd"


@pytest.fixture
def grant(api: Api) -> Grant:
    service(provider("Files"), "files", secret=SECRET)
    return sell(Credits(100), route="files/download")


def signed(path: str, body: bytes, *, t: int | None = None, secret: str = SECRET) -> str:
    """From the words of protocol.md alone."""
    t = int(time.time()) if t is None else t
    message = f"{t}\nPOST\n{path}\n{hashlib.sha256(body).hexdigest()}".encode()
    return f"t={t},v1={hmac.new(bytes.fromhex(secret), message, 'sha256').hexdigest()}"


def consume(api: Api, grant: Grant, body: object, **signing: Any) -> Said:
    path = f"/apicharge/v1/grants/{grant.id}/consume"
    raw = json.dumps(body).encode()
    return api.post(path, raw, **{"ApiCharge-Signature": signed(path, raw, **signing)})


def test_what_a_stream_consumed_is_booked_to_the_unit(api: Api, grant: Grant) -> None:
    said = consume(api, grant, {"id": "a", "credits": 12})
    assert (said.status, said.body) == (
        200,
        {"id": "a", "grant": grant.id, "credits": 12, "left": 88},
    )
    assert used(grant) == 12


def test_each_id_is_booked_once(api: Api, grant: Grant) -> None:
    for _ in range(2):
        assert consume(api, grant, {"id": "a", "credits": 12}).body["left"] == 88
    other = consume(api, grant, {"id": "a", "credits": 13})
    assert (other.status, other.problem) == (409, "conflict")
    assert Booking.objects.count() == 1


@pytest.mark.parametrize("off_s", [-301, 301])
def test_signature_of_another_time_is_refused(api: Api, grant: Grant, off_s: int) -> None:
    t = int(time.time()) + off_s + (1 if off_s > 0 else 0)
    said = consume(api, grant, {"id": "a", "credits": 1}, t=t)
    assert (said.status, said.problem) == (401, "signature-refused")


def test_signature_holds_for_its_bytes_path_and_secret_alone(api: Api, grant: Grant) -> None:
    path = f"/apicharge/v1/grants/{grant.id}/consume"
    body = b'{"id": "a", "credits": 1}'
    for signature in (
        signed(path, body + b" "),
        signed(path.replace("consume", "revoke"), body),
        signed(path, body, secret="00" * 32),
        "v1=x",
        "",
    ):
        said = api.post(path, body, **{"ApiCharge-Signature": signature})
        assert (said.status, said.problem) == (401, "signature-refused")
    assert not Booking.objects.exists()


def test_service_without_a_secret_books_nothing(api: Api, grant: Grant) -> None:
    Service.objects.update(secret="")
    said = consume(api, grant, {"id": "a", "credits": 1}, secret="00" * 32)
    assert said.problem == "signature-refused"


def test_grant_without_credits_cannot_be_consumed(api: Api, grant: Grant) -> None:
    calls = sell(Calls(5), number=2, route="files/download")
    said = consume(api, calls, {"id": "a", "credits": 1})
    assert (said.status, said.problem) == (422, "unprocessable")


@pytest.mark.parametrize(
    "body",
    [
        {"id": "a"},
        {"credits": 1},
        {"id": "", "credits": 1},
        {"id": "a", "credits": 0},
        {"id": "a", "credits": -1},
        {"id": "a b", "credits": 1},
        {"id": "a", "credits": 1, "x": 1},
    ],
)
def test_body_of_another_form_is_refused(api: Api, grant: Grant, body: dict[str, Any]) -> None:
    said = consume(api, grant, body)
    assert (said.status, said.problem) == (400, "invalid-request")
    assert LimiterLedger.objects.get().used == 0
