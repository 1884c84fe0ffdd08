import json
from pathlib import Path

import pytest

from gateway.domain import ed25519, jws
from gateway.domain.grants import Charge, Grant, Starts, TokenError, jwk, kid_of

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "tokens.json").read_text())
ACCESS_SEED = bytes.fromhex(VECTORS["access_seed"])
CLAIMS, NOW = VECTORS["claims"], VECTORS["now"]


def test_grant_is_what_was_signed() -> None:
    grant = Grant.from_claims(CLAIMS)
    assert grant.claims() == CLAIMS
    assert (grant.id, grant.route, grant.expires_at) == ("ab" * 32, "weather/forecast", NOW + 3500)
    assert (grant.starts, grant.charge) == (Starts.PURCHASE, Charge.SUCCESS)
    assert grant.access_key == ed25519.public_key(ACCESS_SEED)


def test_first_use_grant_says_how_long_access_lasts() -> None:
    claims = CLAIMS | {"starts": "first_use", "access_seconds": 600}
    grant = Grant.from_claims(claims)
    assert (grant.starts, grant.access_seconds) == (Starts.FIRST_USE, 600)
    assert grant.claims() == claims


def test_bearer_grant_names_no_key() -> None:
    claims = {name: value for name, value in CLAIMS.items() if name != "cnf"}
    assert Grant.from_claims(claims).access_key is None
    assert Grant.from_claims(claims).claims() == claims


@pytest.mark.parametrize("name", sorted(CLAIMS.keys() - {"cnf"}))
def test_missing_claim_is_named(name: str) -> None:
    with pytest.raises(TokenError, match=f"{name} is missing"):
        Grant.from_claims({key: value for key, value in CLAIMS.items() if key != name})


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": NOW - 100},
        {"exp": True},
        {"access_seconds": 600},
        {"starts": "first_use", "access_seconds": 0},
        {"limits": [{"kind": "wishes"}]},
        {"cnf": {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}}},
        {"cnf": None},
        {"scope": "all"},
    ],
)
def test_other_claims_are_no_grant(changes: dict[str, object]) -> None:
    with pytest.raises(TokenError):
        Grant.from_claims(CLAIMS | changes)


def test_thumbprint_is_that_of_rfc_8037() -> None:
    key = jws.decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
    assert kid_of(key) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    assert jwk(key) == {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    }
