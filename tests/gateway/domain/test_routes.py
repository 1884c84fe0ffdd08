from collections.abc import Mapping
from typing import Any

import pytest

from gateway.domain.routes import (
    MATCHES_KEPT,
    PATH_KEPT_BYTES_MAX,
    Ambiguous,
    Match,
    NoRoute,
    RouteTable,
    RouteTableError,
    Timeouts,
    bare_host,
)
from tests.gateway.tables import compile_table

OFFER = {
    "name": "Hour pass",
    "price": {"amount": "25", "asset": "USDC"},
    "access_seconds": 3600,
    "limits": [{"kind": "calls", "count": 1}],
    "words": ["1 call"],
}


def route(route_id: str, path: str, *methods: str) -> dict[str, Any]:
    return {
        "id": route_id,
        "name": route_id,
        "path": path,
        "methods": list(methods),
        "offers": [OFFER],
    }


def service(slug: str, *routes: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "slug": slug,
        "name": slug,
        "hosts": [],
        "root_path": None,
        "secret": None,
        "upstreams": [{"url": "http://127.0.0.1:9/"}],
        "timeouts": {"connect_ms": 1, "first_byte_ms": 2, "idle_ms": 3},
        "routes": list(routes),
        **changes,
    }


def table(*services: Mapping[str, Any], prefix: str = "/gate/") -> RouteTable:
    body = {"version": 7, "issuer": "https://g", "keys": {"k": "00ff"}, "services": services}
    return compile_table({**body, "services": list(services)}, prefix=prefix)


FILES = service(
    "files",
    route("files/all", "/"),
    route("files/read", "/docs", "GET", "HEAD"),
    route("files/write", "/docs", "PUT"),
    route("files/deep", "/docs/deep"),
    hosts=["files.example"],
    root_path="/f/iles/",
    secret="0a0b",
)


def found(host: str, path: bytes, method: str = "GET") -> tuple[str, str] | None:
    match = table(FILES).match(host, path, method)
    return (match.route.id, match.path) if isinstance(match, Match) else None


@pytest.mark.parametrize(
    ("host", "path", "method", "expected"),
    [
        ("h", b"/gate/files", "GET", ("files/all", "/")),
        ("h", b"/gate/files/", "GET", ("files/all", "/")),
        ("h", b"/gate/files/docs", "GET", ("files/read", "/docs")),
        ("h", b"/gate/files/docs/", "HEAD", ("files/read", "/docs/")),
        ("h", b"/gate/files/docs", "PUT", ("files/write", "/docs")),
        ("h", b"/gate/files/docsx", "PUT", ("files/all", "/docsx")),
        ("h", b"/gate/files/docs/deep/x", "DELETE", ("files/deep", "/docs/deep/x")),
        ("h", b"/gate/files/docs;v=1/deep", "GET", ("files/deep", "/docs;v=1/deep")),
        ("h", b"/gate//fil%65s//docs", "GET", ("files/read", "/docs")),
        ("h", b"/f/iles/docs", "GET", ("files/read", "/docs")),
        ("Files.Example:8443", b"/docs", "GET", ("files/read", "/docs")),
        ("files.example.", b"/gate/files", "GET", ("files/all", "/gate/files")),
        ("h", b"/gate/files/docs", "DELETE", None),
        ("h", b"/gate/other", "GET", None),
        ("h", b"/gate", "GET", None),
        ("h", b"/f", "GET", None),
    ],
)
def test_longest_path_decides(
    host: str, path: bytes, method: str, expected: tuple[str, str] | None
) -> None:
    assert found(host, path, method) == expected


def test_ambiguous_path_is_neither_found_nor_missing() -> None:
    assert isinstance(table(FILES).match("h", b"/gate/files/%2e%2e", "GET"), Ambiguous)
    assert isinstance(table(FILES).match("h", b"/gate/nothing", "GET"), NoRoute)


def test_repeated_question_gets_the_same_answer() -> None:
    compiled = table(FILES)
    asked = ("h", b"/gate/files/docs", "GET")
    assert compiled.match(*asked) is compiled.match(*asked)


def test_remembered_answers_are_bounded() -> None:
    compiled = table(FILES)
    for number in range(MATCHES_KEPT + 10):
        compiled.match("h", b"/gate/files/%d" % number, "GET")
    assert len(compiled._remembered) <= MATCHES_KEPT


def test_strange_hosts_long_paths_and_refused_ones_are_not_remembered() -> None:
    compiled = table(FILES)
    for host in ("a", "b", "Files.Example", "files.example:80", "files.example."):
        assert isinstance(compiled.match(host, b"/gate/files", "GET"), Match)
    assert {host for host, _, _ in compiled._remembered} == {"", "files.example"}
    compiled._remembered.clear()
    long = b"/gate/files/" + b"a" * PATH_KEPT_BYTES_MAX
    for path, method in ((long, "GET"), (b"/gate/%2e%2e", "GET"), (b"/gate/files", "X" * 33)):
        compiled.match("h", path, method)
    assert isinstance(compiled.match("h", long, "GET"), Match)
    assert not compiled._remembered


def test_table_says_which_hosts_and_root_paths_are_its_own() -> None:
    compiled = table(FILES)
    assert compiled.owns("files.example:80", "/anything")
    assert compiled.owns("h", "/f/iles/docs")
    assert not compiled.owns("h", "/f/ilesx")
    assert not compiled.owns("h", "/gate/files")


def test_everything_of_the_snapshot_is_there() -> None:
    compiled = table(FILES)
    assert (compiled.version, compiled.issuer, compiled.keys) == (7, "https://g", {"k": b"\0\xff"})
    assert compiled.routes["files/read"].offers[0].words == ("1 call",)
    match = compiled.match("h", b"/gate/files", "GET")
    assert isinstance(match, Match)
    assert match.service.secret == b"\x0a\x0b"
    assert [place.url for place in match.service.cluster.places] == ["http://127.0.0.1:9"]
    assert match.route.timeouts == Timeouts(1, 2, 3)
    assert "0a0b" not in repr(match)


@pytest.mark.parametrize(
    "services",
    [
        [service("a"), service("a")],
        [service("a", hosts=["h.example"]), service("b", hosts=["H.example:80"])],
        [service("a", root_path="/x"), service("b", root_path="/x/")],
        [service("a", route("a/r", "/%2e%2e"))],
        [service("a", root_path="/gate/b"), service("b")],
        [service("a", secret="not hex")],
        [service("a", upstreams=None)],
        [service("a", transform={"request_set": ["Content-Length: 0"]})],
        [service("a", {"id": "a/r"})],
        ["none"],
    ],
)
def test_snapshot_that_makes_no_sense_does_not_compile(services: list[Any]) -> None:
    with pytest.raises(RouteTableError):
        table(*services)


def test_route_has_its_services_timeouts_but_for_its_own() -> None:
    slow = {**route("files/slow", "/slow"), "timeouts": {"first_byte_ms": 9}}
    compiled = table(service("files", route("files/all", "/"), slow))
    assert compiled.routes["files/all"].timeouts == Timeouts(1, 2, 3)
    assert compiled.routes["files/slow"].timeouts == Timeouts(1, 9, 3)


def test_only_what_has_a_choice_is_asked_for_its_health() -> None:
    two = [{"url": "http://127.0.0.1:9"}, {"url": "http://127.0.0.1:8", "weight": 3}]
    health = {"path": "/up"}
    compiled = table(
        service("a", upstreams=two, health=health),
        service("b", health=health),
        service("c", upstreams=two),
    )
    assert [cluster.name for cluster in compiled.probed] == ["a"]


@pytest.mark.parametrize(
    ("header", "name"),
    [("H.Example", "h.example"), ("h:80", "h"), ("[::1]:80", "[::1]"), ("[::1]", "[::1]")],
)
def test_bare_host(header: str, name: str) -> None:
    assert bare_host(header) == name
