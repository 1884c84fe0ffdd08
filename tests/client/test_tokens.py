"""The client's tokens are the vectors', made by hand, and the gateway reads them."""

import json
from pathlib import Path

import pytest
from apicharge_client import Key, tokens
from apicharge_client.documents import encode
from apicharge_client.errors import BadDocument

from gateway.domain.tokens import AccessToken, read

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "tokens.json").read_text())
KEYS = {kid: bytes.fromhex(key) for kid, key in VECTORS["keys"].items()}
GRANTED, NOW = VECTORS["granted"], VECTORS["now"]
KEY = Key(bytes.fromhex(VECTORS["access_seed"]))


def test_derived_token_is_the_vector() -> None:
    assert tokens.derive(GRANTED, KEY, expires_at=NOW + 60) == VECTORS["accepted"]["plain"]


def test_manage_token_is_the_vector() -> None:
    manage = tokens.derive(GRANTED, KEY, expires_at=NOW + 60, act="manage")
    assert manage == VECTORS["accepted"]["manage"]


def test_sep53_token_is_the_vector() -> None:
    assert tokens.derive_sep53(GRANTED, KEY, expires_at=NOW + 60) == VECTORS["accepted"]["sep53"]


def test_gateway_reads_the_scope() -> None:
    scope: tokens.Scope = {"methods": ["get", "HEAD"], "path": "/a", "name": "ci"}
    access = read(tokens.derive(GRANTED, KEY, expires_at=NOW, **scope), KEYS)
    assert isinstance(access, AccessToken)
    assert (access.methods, access.path) == (frozenset({"GET", "HEAD"}), "/a")
    assert access.client_id == "ci"


def test_claims_of_a_granted_token_are_read() -> None:
    assert tokens.claims_of(GRANTED).members == VECTORS["claims"]


@pytest.mark.parametrize("text", ["", "a.b", "a.é.c", "a.e30", f"a.{encode(b'[]')}.c"])
def test_granted_token_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadDocument):
        tokens.claims_of(text)
