"""A remembered admission, and everything that ends it."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.domain import ed25519
from gateway.domain.errors import Problem, Refusal
from gateway.domain.headers import sift
from gateway.domain.routes import PATH_KEPT_BYTES_MAX
from gateway.domain.tokens import GRANT_NBF_SKEW_S, kid_of
from gateway.forwarding import upstream_request
from gateway.guarding import Guarding
from gateway.identifying import TAIL_CHARS, Identified, Identifying
from gateway.routing import News, Revoked, Routing
from tests.gateway.e2e.world import GRANT_SEED, World, token
from tests.gateway.tables import compile_table

PATH = "/gate/files/report"


class Desk:
    """Identifying alone, behind a routing that hears what the test says."""

    def __init__(self, home: Path, tokens_kept: int) -> None:
        self.world = World(home)
        self.world.upstream.port = 9
        self.routing = Routing(self.world.source)
        self.identifying = Identifying(
            self.routing, Guarding(None, time.monotonic), tokens_kept=tokens_kept
        )
        self.now_s = time.time()

    def hear(self, news: News) -> None:
        self.routing._take_over(news)

    def publish(self, **service: Any) -> None:
        self.world.version += 1
        body = self.world.body(**service)
        self.hear(News(compile_table({**body, "version": self.world.version})))

    def scope(self, **changes: Any) -> dict[str, Any]:
        path = changes.pop("path", PATH)
        described = {"method": "GET", "path": path, "raw_path": path.encode()}
        rest = {"query_string": b"", "client": ("192.0.2.1", 1), "scheme": "http"}
        return {**described, **rest, **changes}

    def ask(self, text: str, host: str = "gate.example", **changes: Any) -> Identified | Refusal:
        head = sift([(b"host", host.encode()), (b"apicharge", text.encode())], frozenset())
        return self.identifying.identify(self.scope(**changes), head, self.now_s)

    def refused(self, text: str, host: str = "gate.example", **changes: Any) -> Problem:
        found = self.ask(text, host, **changes)
        assert isinstance(found, Refusal)
        return found.problem


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    desk = Desk(tmp_path, tokens_kept=3)
    desk.publish()
    yield desk
    await desk.world.gate.saying.stop()


async def test_the_same_call_is_answered_from_memory(desk: Desk) -> None:
    text = token(desk.world.grant())
    assert desk.ask(text) is desk.ask(text)


async def test_who_shows_the_end_of_a_known_token_is_not_taken_for_it(desk: Desk) -> None:
    text = token(desk.world.grant())
    first = desk.ask(text)
    for forged in (text[1:], f"x{text[1:]}", text[-TAIL_CHARS:]):
        assert desk.refused(forged).slug == "invalid-token"
    assert desk.ask(text) is first


async def test_a_revoked_grant_is_forgotten(desk: Desk) -> None:
    grant = desk.world.grant()
    assert isinstance(desk.ask(token(grant)), Identified)
    desk.hear(News(None, (Revoked(grant.id),)))
    assert desk.refused(token(grant)).slug == "token-revoked"


async def test_a_revoked_token_is_forgotten_and_its_sisters_are_not_refused(desk: Desk) -> None:
    grant = desk.world.grant()
    one, other = token(grant, id="one"), token(grant, id="other")
    assert isinstance(desk.ask(one), Identified)
    assert isinstance(desk.ask(other), Identified)
    desk.hear(News(None, (Revoked(grant.id, "one"),)))
    assert desk.refused(one).slug == "token-revoked"
    assert isinstance(desk.ask(other), Identified)


async def test_a_withdrawn_key_is_forgotten(desk: Desk) -> None:
    text = token(desk.world.grant())
    assert isinstance(desk.ask(text), Identified)
    other = ed25519.public_key(bytes(32))
    body = {**desk.world.body(), "keys": {kid_of(other): other.hex()}, "version": 2}
    desk.hear(News(compile_table(body)))
    assert desk.refused(text).slug == "token-revoked"


async def test_a_route_that_is_gone_is_forgotten(desk: Desk) -> None:
    text = token(desk.world.grant())
    assert isinstance(desk.ask(text), Identified)
    desk.publish(routes=[])
    assert desk.refused(text).slug == "route-not-found"


async def test_a_new_table_is_gone_by_from_its_first_call(desk: Desk) -> None:
    text = token(desk.world.grant())
    before = desk.ask(text)
    desk.publish(upstreams=[{"url": "http://127.0.0.1:10/elsewhere"}])
    after = desk.ask(text)
    assert isinstance(before, Identified)
    assert isinstance(after, Identified)
    places = [each.match.service.cluster.places[0].url for each in (before, after)]
    assert places == ["http://127.0.0.1:9/base", "http://127.0.0.1:10/elsewhere"]


async def test_a_route_sold_separately_takes_its_paths_at_once(desk: Desk) -> None:
    text = token(desk.world.grant())
    assert isinstance(desk.ask(text), Identified)
    [everything, premium] = desk.world.body()["services"][0]["routes"]
    desk.publish(routes=[everything, {**premium, "path": "/report"}])
    assert desk.refused(text).slug == "out-of-scope"


async def test_a_grant_that_ends_is_forgotten(desk: Desk) -> None:
    grant = desk.world.grant()
    text = token(grant, expires_in=7200)
    assert isinstance(desk.ask(text), Identified)
    desk.now_s = grant.expires_at
    assert desk.refused(text).slug == "grant-expired"


async def test_an_access_token_that_ends_is_forgotten(desk: Desk) -> None:
    text = token(desk.world.grant(), expires_in=60)
    assert isinstance(desk.ask(text), Identified)
    desk.now_s += 61
    assert desk.refused(text).slug == "token-expired"


async def test_a_clock_that_is_set_back_does_not_begin_a_grant_early(desk: Desk) -> None:
    grant = desk.world.grant()
    text = token(grant)
    assert isinstance(desk.ask(text), Identified)
    desk.now_s = grant.not_before - GRANT_NBF_SKEW_S - 1
    assert desk.refused(text).slug == "invalid-token"


async def test_another_method_path_or_host_is_another_question(desk: Desk) -> None:
    text = token(desk.world.grant(), methods=["GET"], path="/report")
    assert isinstance(desk.ask(text), Identified)
    assert desk.refused(text, method="POST").slug == "out-of-scope"
    assert desk.refused(text, path="/gate/files/other").slug == "out-of-scope"
    assert desk.refused(text, path="/gate/nothing/report").slug == "route-not-found"
    found = desk.ask(text, "files.example", path="/report")
    assert isinstance(found, Identified)
    assert found.match.own_host
    assert desk.refused(text, path="/report").slug == "route-not-found"


async def test_another_spelling_of_a_path_is_decided_on_by_itself(desk: Desk) -> None:
    text = token(desk.world.grant())
    assert isinstance(desk.ask(text), Identified)
    assert desk.refused(text, path="/gate/files/x/../report").slug == "ambiguous-path"


async def test_another_token_of_the_same_path_is_another_question(desk: Desk) -> None:
    grant = desk.world.grant()
    text = token(grant)
    assert isinstance(desk.ask(text), Identified)
    assert desk.refused(f"{text[:-4]}AAAA").slug == "invalid-token"
    forged = token(desk.world.grant(id=grant.id), seed=GRANT_SEED)
    assert desk.refused(forged).slug == "invalid-token"


async def test_another_client_with_the_same_token_is_told_apart(desk: Desk) -> None:
    text = token(desk.world.grant())
    told = []
    for client in ("192.0.2.1", "198.51.100.7"):
        scope = desk.scope(client=(client, 1))
        head = sift([(b"host", b"gate.example"), (b"apicharge", text.encode())], frozenset())
        found = desk.identifying.identify(scope, head, desk.now_s)
        assert isinstance(found, Identified)
        asked = upstream_request(scope, head, found, desk.now_s)
        told.append(dict(asked.headers)["x-forwarded-for"])
    assert told == ["192.0.2.1", "198.51.100.7"]


async def test_as_many_answers_are_kept_as_tokens(desk: Desk) -> None:
    text = token(desk.world.grant())
    first = desk.ask(text)
    for number in range(2):
        desk.ask(text, path=f"/gate/files/{number}")
    assert desk.ask(text) is first
    desk.ask(text, path="/gate/files/2")
    assert desk.ask(text) is not first
    assert len(desk.identifying._answers) == 2


async def test_strange_hosts_and_long_paths_fill_no_memory(desk: Desk) -> None:
    text = token(desk.world.grant())
    first = desk.ask(text)
    assert desk.ask(text, host="elsewhere.example") is first
    assert isinstance(desk.ask(text, path=f"{PATH}/{'a' * PATH_KEPT_BYTES_MAX}"), Identified)
    assert [asked[1:] for asked in desk.identifying._answers] == [("", PATH.encode(), "GET")]


@pytest.mark.parametrize("hosts", [[b"h", b"other"], [b"a b"], [b""], [b"h" * 300]])
async def test_remembered_or_not_two_hosts_or_none_are_refused(
    desk: Desk, hosts: list[bytes]
) -> None:
    text = token(desk.world.grant())
    assert isinstance(desk.ask(text, host="h"), Identified)
    named = [(b"host", host) for host in hosts]
    head = sift([*named, (b"apicharge", text.encode())], frozenset())
    refused = desk.identifying.identify(desk.scope(), head, desk.now_s)
    assert isinstance(refused, Refusal)
    assert refused.problem.slug == "malformed-request"
