import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain import ed25519, jws, tokens
from gateway.domain.tokens import AccessToken, Grant, Reason, Refused
from tests.vectors import tokens_by_hand

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "tokens.json").read_text())
KEYS = {kid: bytes.fromhex(key) for kid, key in VECTORS["keys"].items()}
GRANT_SEED = bytes.fromhex(VECTORS["grant_seed"])
ACCESS_SEED = bytes.fromhex(VECTORS["access_seed"])
KID = next(iter(KEYS))
ISSUER, NOW, GRANTED = VECTORS["issuer"], VECTORS["now"], VECTORS["granted"]
CALL = {"issuer": ISSUER, "route": "weather/forecast", "method": "GET", "path": "/v1/now"}


def read(token: str) -> AccessToken:
    result = tokens.read(token, KEYS)
    assert isinstance(result, AccessToken), result
    return result


def reason(result: AccessToken | Refused | None) -> Reason | None:
    return result.reason if isinstance(result, Refused) else None


def token(**changes: object) -> AccessToken:
    return replace(read(VECTORS["accepted"]["plain"]), **changes)


def admitted(access: AccessToken, *, now_s: float = NOW, **call: str) -> Reason | None:
    return reason(tokens.admit(access, **(CALL | call), now_s=now_s))


def test_vectors_are_what_their_script_writes() -> None:
    assert json.loads(json.dumps(tokens_by_hand.document())) == VECTORS


@pytest.mark.parametrize("name", VECTORS["accepted"])
def test_accepted_vector_is_read(name: str) -> None:
    access = read(VECTORS["accepted"][name])
    assert access.key == VECTORS["accepted"][name]
    assert access.kid == KID
    assert access.digest == hashlib.sha256(access.key.split("~")[0].encode()).digest()
    assert access.bearer is (name == "bearer")


@pytest.mark.parametrize("case", VECTORS["refused"], ids=lambda case: case["name"])
def test_refused_vector_is_refused_for_its_reason(case: dict[str, str]) -> None:
    assert reason(tokens.read(case["token"], KEYS)) == case["reason"]


def test_scope_is_read() -> None:
    access = read(VECTORS["accepted"]["scoped"])
    assert (access.methods, access.path) == (frozenset({"GET", "HEAD"}), "/v1/now")
    assert (access.client_id, access.client_expires_at, access.act) == ("tok-1", NOW + 60, None)


def test_issued_grant_is_the_vector() -> None:
    grant = Grant.from_claims(VECTORS["claims"])
    signing_input = tokens.grant_signing_input(grant, KID)
    issued = tokens.assemble(signing_input, ed25519.sign(GRANT_SEED, signing_input))
    assert issued == GRANTED


@pytest.mark.parametrize("sep53", [False, True])
def test_derived_token_is_read(sep53: bool) -> None:
    signing_input = tokens.client_signing_input(
        GRANTED, expires_at=NOW + 5, methods=["POST"], path="/v1", id="t", issued_at=1, sep53=sep53
    )
    message = tokens.to_be_signed(signing_input, sep53=sep53)
    signature = ed25519.sign(ACCESS_SEED, message)
    access = read(f"{GRANTED}~{tokens.assemble(signing_input, signature)}")
    assert (access.client_id, access.path, access.client_expires_at) == ("t", "/v1", NOW + 5)


@pytest.mark.parametrize("name", sorted(VECTORS["accepted"].keys() - {"manage"}))
def test_accepted_vector_is_admitted(name: str) -> None:
    assert admitted(read(VECTORS["accepted"][name])) is None


def test_other_audience_is_refused() -> None:
    assert admitted(token(), issuer="https://gw.example:8443") is Reason.WRONG_AUDIENCE
    assert admitted(token(), issuer="https://gw.example/") is Reason.WRONG_AUDIENCE
    other = replace(token().grant, audience="https://other.example")
    assert admitted(token(grant=other)) is Reason.WRONG_AUDIENCE


def test_client_token_ends_exactly_at_exp() -> None:
    assert admitted(token(), now_s=NOW + 59.999) is None
    assert admitted(token(), now_s=NOW + 60) is Reason.TOKEN_EXPIRED


def test_client_token_begins_exactly_at_nbf() -> None:
    assert admitted(token(client_not_before=NOW), now_s=NOW - 0.1) is Reason.TOKEN_NOT_YET_VALID
    assert admitted(token(client_not_before=NOW), now_s=NOW) is None


def test_grant_ends_exactly_at_exp_whatever_its_client_token_says() -> None:
    access = token(client_expires_at=NOW + 999_999)
    assert admitted(access, now_s=NOW + 3499.999) is None
    assert admitted(access, now_s=NOW + 3500) is Reason.GRANT_EXPIRED


def test_ended_grant_wins_over_an_expired_client_token() -> None:
    assert admitted(token(), now_s=NOW + 4000) is Reason.GRANT_EXPIRED


def test_grant_begins_at_nbf_less_five_seconds() -> None:
    assert admitted(token(), now_s=NOW - 105) is None
    assert admitted(token(), now_s=NOW - 105.1) is Reason.GRANT_NOT_YET_VALID
    future = replace(token().grant, not_before=NOW + 1000)
    assert admitted(token(grant=future)) is Reason.GRANT_NOT_YET_VALID


@pytest.mark.parametrize("not_before", [None, NOW - 10_000_000, NOW + 5])
@pytest.mark.parametrize("expires_at", [None, NOW + 30, NOW + 10**9])
def test_answer_changes_only_where_it_is_said_to(
    not_before: int | None, expires_at: int | None
) -> None:
    access = replace(token(), client_not_before=not_before, client_expires_at=expires_at)
    since_s, until_s = tokens.steady(access)
    for now_s in (since_s, until_s - 0.001):
        assert admitted(access, now_s=now_s) is None
    for now_s in (since_s - 0.001, until_s):
        assert admitted(access, now_s=now_s) is not None


def test_other_route_is_refused() -> None:
    assert admitted(token(), route="weather/forecasts") is Reason.WRONG_ROUTE


def test_method_outside_the_scope_is_refused() -> None:
    access = token(methods=frozenset({"GET"}))
    assert admitted(access) is None
    assert admitted(access, method="HEAD") is Reason.WRONG_METHOD


@pytest.mark.parametrize("path", ["/a", "/a/", "/a/b", "/a/b/c"])
def test_path_scope_covers_whole_segments(path: str) -> None:
    assert admitted(token(path="/a"), path=path) is None


@pytest.mark.parametrize("path", ["/", "/ab", "/A", "/b/a", ""])
def test_path_scope_covers_nothing_else(path: str) -> None:
    assert admitted(token(path="/a"), path=path) is Reason.WRONG_PATH


def test_path_scope_with_a_slash_is_what_is_below() -> None:
    assert admitted(token(path="/a/"), path="/a") is Reason.WRONG_PATH
    assert admitted(token(path="/a/"), path="/a/b") is None
    assert admitted(token(path="/"), path="/anything") is None


def test_manage_token_opens_no_route() -> None:
    assert admitted(read(VECTORS["accepted"]["manage"])) is Reason.WRONG_ACT


def manages(access: AccessToken, grant_id: str = "ab" * 32, now_s: float = NOW) -> Reason | None:
    return reason(tokens.admit_manage(access, issuer=ISSUER, grant_id=grant_id, now_s=now_s))


def test_manage_token_manages_its_grant_for_a_minute() -> None:
    access = read(VECTORS["accepted"]["manage"])
    assert manages(access) is None
    assert manages(access, now_s=NOW + 60) is Reason.TOKEN_EXPIRED
    assert manages(access, now_s=NOW - 1) is Reason.WRONG_ACT
    assert manages(access, grant_id="00" * 32) is Reason.WRONG_GRANT


@pytest.mark.parametrize("name", ["plain", "bearer", "scoped", "sep53"])
def test_other_tokens_manage_nothing(name: str) -> None:
    assert manages(read(VECTORS["accepted"][name])) is Reason.WRONG_ACT


def test_manage_token_of_another_gateway_manages_nothing() -> None:
    access = read(VECTORS["accepted"]["manage"])
    refused = tokens.admit_manage(access, issuer="https://b", grant_id="ab" * 32, now_s=NOW)
    assert reason(refused) is Reason.WRONG_AUDIENCE


def test_holder_reads_about_an_ended_grant() -> None:
    access = token(client_expires_at=NOW + 9_999)
    call = {"issuer": ISSUER, "now_s": NOW + 5_000}
    assert tokens.admit_holder(access, grant_id="ab" * 32, **call) is None
    assert reason(tokens.admit_holder(access, grant_id="00" * 32, **call)) is Reason.WRONG_GRANT


@pytest.mark.parametrize("name", VECTORS["accepted"])
def test_our_tokens_are_recognised(name: str) -> None:
    presented = VECTORS["accepted"][name]
    assert tokens.is_ours(presented)
    assert tokens.is_ours(f" {presented} ")
    assert tokens.is_ours(presented.replace("~", "~!"))
    assert tokens.is_ours(presented.rpartition("~")[2])


@pytest.mark.parametrize(
    "foreign",
    [
        "",
        "abc",
        "ghp_0123456789abcdef",
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIn0.AAAA",
        "eyJ0eXAiOiJhdCtqd3QifQ.e30.AAAA",
        "é.é.é",
        "x" * 20_000,
    ],
)
def test_foreign_bearer_tokens_are_not_ours(foreign: str) -> None:
    assert not tokens.is_ours(foreign)


@given(text=st.text(max_size=300))
def test_arbitrary_text_is_refused_without_an_exception(text: str) -> None:
    assert isinstance(tokens.read(text, KEYS), Refused)
    assert not tokens.is_ours(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
CLIENT_CLAIMS = st.sampled_from(["exp", "nbf", "iat", "jti", "methods", "path", "act", "grant"])


def presented(header: object, claims: object) -> str:
    text = ".".join(jws.encode(json.dumps(part).encode()) for part in (header, claims))
    return f"{GRANTED}~{text}.{jws.encode(ed25519.sign(ACCESS_SEED, text.encode()))}"


@given(name=st.sampled_from(["alg", "typ", "kid"]), value=JSON)
def test_any_other_client_header_is_refused(name: str, value: object) -> None:
    header = {"alg": "EdDSA", "typ": "apicharge-access+jwt"}
    claims = {"exp": NOW, "grant": hashlib.sha256(GRANTED.encode()).hexdigest()}
    assert isinstance(tokens.read(presented(header, claims), KEYS), AccessToken)
    assert isinstance(tokens.read(presented(header | {name: value}, claims), KEYS), Refused)


@given(name=CLIENT_CLAIMS | st.text(max_size=9), value=JSON)
def test_any_client_claim_is_read_or_refused(name: str, value: object) -> None:
    claims = {"exp": NOW, "grant": hashlib.sha256(GRANTED.encode()).hexdigest(), name: value}
    header = {"alg": "EdDSA", "typ": "apicharge-access+jwt"}
    result = tokens.read(presented(header, claims), KEYS)
    assert isinstance(result, Refused) or name in {"exp", "nbf", "iat", "jti", "path", "methods"}


@given(position=st.integers(0, len(VECTORS["accepted"]["plain"]) - 1), char=st.characters())
def test_any_changed_character_is_refused(position: int, char: str) -> None:
    plain = VECTORS["accepted"]["plain"]
    changed = plain[:position] + char + plain[position + 1 :]
    assert changed == plain or isinstance(tokens.read(changed, KEYS), Refused)


@given(st.integers(0, len(VECTORS["accepted"]["plain"]) - 1))
def test_any_truncation_is_refused(length: int) -> None:
    assert isinstance(tokens.read(VECTORS["accepted"]["plain"][:length], KEYS), Refused)


def test_without_keys_everything_is_refused() -> None:
    assert reason(tokens.read(VECTORS["accepted"]["bearer"], {})) is Reason.UNKNOWN_KEY
