"""Reading what is left of a grant, and revoking it: whose token, in which form, for how long."""

import time
from typing import Any

import pytest

from billing.models import AuditEntry
from gateway.domain import ed25519, tokens
from gateway.models import GrantLedger, Revocation, VerifyingKey
from tests.billing.api.speaking import Api, access_token, worked
from tests.billing.buying import person, quote_for
from tests.billing.working import BUYER, PAYEE, Shop

STRANGER = person("stranger")
HEX = "[0-9a-f]{64}"


@pytest.fixture
def granted(api: Api, shop: Shop) -> str:
    """A granted access token of the buyer."""
    return bought(api)


def bought(api: Api, **terms: Any) -> str:
    free = quote_for(PAYEE.address, amount=0, **terms).to_json()
    instruction = api.buy(free, BUYER).body
    api.authorize(instruction, BUYER)
    worked()
    token: str = api.get(f"purchases/{instruction['id']}").body["granted_access_token"]
    return token


def path_of(granted: str) -> str:
    return f"grants/{tokens.jws.parse(granted).payload['jti']}"


def test_holder_reads_what_is_left_and_until_when(api: Api, granted: str) -> None:
    said = api.get(path_of(granted), apicharge=access_token(granted, BUYER))
    claims = tokens.jws.parse(granted).payload
    assert said.status == 200
    assert said.body == {
        "id": claims["jti"],
        "route": "weather/forecast",
        "limits": [
            {
                "kind": "calls",
                "count": 10,
                "window_seconds": None,
                "used": 0,
                "left": 10,
                "renews_at": None,
            }
        ],
        "first_used_at": None,
        "ends_at": claims["exp"],
        "last_end": None,
    }


def test_grant_that_waits_for_its_first_use_says_so(api: Api, shop: Shop) -> None:
    granted = bought(api, starts="first_use", access_seconds=60)
    said = api.get(path_of(granted), apicharge=access_token(granted, BUYER)).body
    assert said["first_used_at"] is None
    assert said["ends_at"] == tokens.jws.parse(granted).payload["exp"]
    GrantLedger.objects.update(first_used_at=1_900_000_000.0)
    said = api.get(path_of(granted), apicharge=access_token(granted, BUYER)).body
    assert said["first_used_at"] == 1_900_000_000


@pytest.mark.parametrize(
    "form",
    [
        {"apicharge": "{}"},
        {"authorization": "ApiCharge {}"},
        {"authorization": "apicharge {}"},
        {"authorization": "Bearer {}"},
        {"cookie": "apicharge={}"},
    ],
)
def test_token_is_taken_in_every_form(api: Api, granted: str, form: dict[str, str]) -> None:
    token = access_token(granted, BUYER)
    headers = {name: value.format(token) for name, value in form.items()}
    assert api.get(path_of(granted), **headers).status == 200


def test_first_present_form_is_used(api: Api, granted: str) -> None:
    headers = {"apicharge": "x", "authorization": f"ApiCharge {access_token(granted, BUYER)}"}
    assert api.get(path_of(granted), **headers).status == 401


def test_bearer_that_is_not_ours_is_passed_over(api: Api, granted: str) -> None:
    cookie = f"apicharge={access_token(granted, BUYER)}"
    headers = {"authorization": "Bearer somebody-elses", "cookie": cookie}
    assert api.get(path_of(granted), **headers).status == 200


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda granted: None, "missing"),
        (lambda granted: "x", "malformed"),
        (lambda granted: granted, "malformed"),
        (lambda granted: access_token(granted, STRANGER), "bad_signature"),
        (lambda granted: access_token(granted, BUYER, expires_at=1), "token_expired"),
    ],
)
def test_token_that_does_not_hold_is_refused(api: Api, granted: str, make: Any, error: str) -> None:
    token = make(granted)
    said = api.get(path_of(granted), **({} if token is None else {"apicharge": token}))
    assert (said.status, said.problem) == (401, "token-refused")
    assert said.headers["WWW-Authenticate"] == f'ApiCharge error="{error}"'


def test_token_of_another_grant_is_forbidden(api: Api, granted: str) -> None:
    other = bought(api)
    said = api.get(path_of(other), apicharge=access_token(granted, BUYER))
    assert (said.status, said.problem) == (403, "token-forbidden")


def test_key_that_was_revoked_vouches_for_nothing(api: Api, granted: str) -> None:
    VerifyingKey.objects.update(revoked_at="2026-01-01T00:00:00Z")
    said = api.get(path_of(granted), apicharge=access_token(granted, BUYER))
    assert said.headers["WWW-Authenticate"] == 'ApiCharge error="unknown_key"'


def test_grant_without_its_ledger_row_is_refused(api: Api, granted: str) -> None:
    ledger = GrantLedger.objects.get()
    ledger.limiters.all().delete()
    ledger.delete()
    assert api.get(path_of(granted), apicharge=access_token(granted, BUYER)).status == 401


class TestRevocation:
    def manage(self, granted: str, **claims: Any) -> str:
        return access_token(granted, BUYER, **{"act": "manage", **claims})

    def test_holder_revokes_the_grant(self, api: Api, granted: str) -> None:
        said = api.post(f"{path_of(granted)}/revoke", {}, apicharge=self.manage(granted))
        assert (said.status, said.body["revoked"]) == (200, True)
        assert Revocation.objects.get().token == ""
        refused = api.get(path_of(granted), apicharge=access_token(granted, BUYER))
        assert refused.headers["WWW-Authenticate"] == 'ApiCharge error="revoked"'

    def test_holder_revokes_one_client_token(self, api: Api, granted: str) -> None:
        path = f"{path_of(granted)}/revoke"
        assert api.post(path, {"token": "t-1"}, apicharge=self.manage(granted)).status == 200
        lost, kept = (access_token(granted, BUYER, id=name) for name in ("t-1", "t-2"))
        assert api.get(path_of(granted), apicharge=lost).status == 401
        assert api.get(path_of(granted), apicharge=kept).status == 200

    def test_revoking_twice_is_revoking_once(self, api: Api, granted: str) -> None:
        path = f"{path_of(granted)}/revoke"
        for _ in range(2):
            assert api.post(path, {"token": "t-1"}, apicharge=self.manage(granted)).status == 200
        assert Revocation.objects.count() == 1
        entry = AuditEntry.objects.get(action="grant.revoke")
        assert (entry.actor, entry.detail) == (BUYER.address, {"token": "t-1"})

    @pytest.mark.parametrize(
        ("claims", "status"),
        [
            ({"act": None}, 403),
            ({"expires_at": int(time.time()) + 3600}, 403),
            ({"expires_at": 1}, 401),
        ],
    )
    def test_token_that_may_not_manage_is_refused(
        self, api: Api, granted: str, claims: dict[str, Any], status: int
    ) -> None:
        path = f"{path_of(granted)}/revoke"
        said = api.post(path, {}, apicharge=self.manage(granted, **claims))
        assert said.status == status
        assert not Revocation.objects.exists()

    @pytest.mark.parametrize("body", [{"token": ""}, {"token": 7}, {"token": "a b"}, {"x": 1}])
    def test_body_of_another_form_is_refused(
        self, api: Api, granted: str, body: dict[str, Any]
    ) -> None:
        said = api.post(f"{path_of(granted)}/revoke", body, apicharge=self.manage(granted))
        assert (said.status, said.problem) == (400, "invalid-request")
        assert not Revocation.objects.exists()


def test_keys_verify_what_was_granted(api: Api, granted: str) -> None:
    said = api.get("/.well-known/jwks.json")
    (key,) = said.body["keys"]
    frame = tokens.jws.parse(granted)
    assert said.headers["Content-Type"] == "application/jwk-set+json"
    assert (key["kty"], key["crv"], key["kid"]) == ("OKP", "Ed25519", frame.header["kid"])
    assert ed25519.verify(tokens.jws.decode(key["x"]), frame.signing_input, frame.signature)
