import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.routes import Match
from marketplace.domain import coverage
from marketplace.domain.coverage import Claim
from tests.gateway.tables import compile_table

SOLD, OTHER = 1, 2


@pytest.mark.parametrize(
    ("before", "after", "lost"),
    [
        (("/v1", []), ("/v1", []), None),
        (("/v1", []), ("/", []), None),
        (("/v1", ["GET"]), ("/v1", ["GET", "POST"]), None),
        (("/v1", ["GET"]), ("/v1", []), None),
        (("/", []), ("/v1", []), "any call to /"),
        (("/v1", []), ("/v10", []), "any call to /v1"),
        (("/v1", []), ("/v1/x", []), "any call to /v1"),
        (("/v1", ["GET", "POST"]), ("/v1", ["GET"]), "POST /v1"),
        (("/v1", []), ("/v1", ["GET"]), "any call to /v1"),
    ],
)
def test_change_of_the_sold_route_that_takes_a_request_is_told(
    before: tuple[str, list[str]], after: tuple[str, list[str]], lost: str | None
) -> None:
    claims = {SOLD: Claim.of(*before)}, {SOLD: Claim.of(*after)}
    assert coverage.loses(*claims, SOLD) == lost


@pytest.mark.parametrize(
    ("new", "lost"),
    [
        (("/v1", []), "any call to /v1"),
        (("/v1", ["POST"]), "any call to /v1"),
        (("/", ["POST"]), None),
    ],
)
def test_new_route_below_a_sold_one_takes_its_requests(
    new: tuple[str, list[str]], lost: str | None
) -> None:
    before = {SOLD: Claim.of("/", ["GET"])}
    if lost:
        lost = "GET /v1"
    assert coverage.loses(before, before | {OTHER: Claim.of(*new)}, SOLD) == lost


def test_removing_the_route_loses_all_of_it() -> None:
    before = {SOLD: Claim.of("/v1", ["GET"])}
    assert coverage.loses(before, {}, SOLD) == "GET /v1"


def test_widening_past_a_sibling_is_seen() -> None:
    before = {SOLD: Claim.of("/v1", ["GET"]), OTHER: Claim.of("/v1", ["POST"])}
    after = before | {SOLD: Claim.of("/", ["GET"])}
    assert coverage.loses(before, after, SOLD) == "GET /v1"


@pytest.mark.parametrize(
    ("one", "other", "collides"),
    [
        (("/v1", []), ("/v1/", ["GET"]), True),
        (("/v1", ["GET"]), ("/v1", ["GET", "POST"]), True),
        (("/v1", ["GET"]), ("/v1", ["POST"]), False),
        (("/v1", []), ("/v1/x", []), False),
    ],
)
def test_two_claims_to_one_path_and_method_collide(
    one: tuple[str, list[str]], other: tuple[str, list[str]], collides: bool
) -> None:
    assert Claim.of(*one).collides(Claim.of(*other)) is collides
    assert Claim.of(*other).collides(Claim.of(*one)) is collides


paths = st.lists(st.sampled_from(["a", "b", "OTHER"]), max_size=3).map(tuple)
methods = st.frozensets(st.sampled_from(["GET", "POST"]))
claims = st.dictionaries(st.integers(1, 4), st.builds(Claim, paths, methods), max_size=4)


@given(claims, paths, st.sampled_from(["GET", "POST", "OTHER"]))
def test_catalogue_and_gate_decide_alike(
    claimed: dict[int, Claim], path: tuple[str, ...], method: str
) -> None:
    body = {
        "version": 1,
        "issuer": "http://gw.example",
        "keys": {},
        "services": [
            {
                "slug": "s",
                "name": "S",
                "hosts": [],
                "root_path": None,
                "secret": None,
                "upstreams": [],
                "timeouts": {},
                "routes": [
                    {
                        "id": f"s/{key}",
                        "name": "R",
                        "path": "/" + "/".join(claim.path),
                        "methods": sorted(claim.methods),
                        "offers": [],
                    }
                    for key, claim in claimed.items()
                ],
            }
        ],
    }
    asked = "/".join(["/gate/s", *path]).encode()
    match = compile_table(body).match("gw.example", asked, method)
    key = coverage.answering(claimed, path, method)
    assert (match.route.id if isinstance(match, Match) else None) == (key and f"s/{key}")


@given(claims, claims, paths, st.sampled_from(["GET", "POST", "OTHER"]))
def test_what_is_not_told_lost_is_still_answered(
    before: dict[int, Claim], after: dict[int, Claim], path: tuple[str, ...], method: str
) -> None:
    key = coverage.answering(before, path, method)
    if key is not None and coverage.loses(before, after, key) is None:
        assert coverage.answering(after, path, method) == key
