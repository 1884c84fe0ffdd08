from typing import Any

import pytest

from gateway.domain.clusters import Cluster, Place
from gateway.domain.references import References
from gateway.domain.transforms import Credential, Transform

PLACES = ("http://10.0.0.7:8080/base", "https://api.internal")


def references(
    *places: str, prefix: str = "/gate/files", called: str = "/a", **changes: Any
) -> References:
    transform = Transform(**changes) if changes else None
    cluster = Cluster("files", tuple(map(Place, places or PLACES[:1])), transform=transform)
    return References(cluster, prefix, "files.example", called)


@pytest.mark.parametrize(
    ("said", "passed"),
    [
        ("http://10.0.0.7:8080/base/b?c=d#e", "/gate/files/b?c=d#e"),
        ("HTTP://10.0.0.7:8080/base/b", "/gate/files/b"),
        ("http://user:word@10.0.0.7:8080/base/b", "/gate/files/b"),
        ("//10.0.0.7:8080/base/b", "/gate/files/b"),
        ("http://10.0.0.7:8080/base", "/gate/files/"),
        ("/base/b", "/gate/files/b"),
        ("b/c?d", "b/c?d"),
        ("?d", "?d"),
        ("", ""),
        ("/gate/files/b", "/gate/files/b"),
        ("/elsewhere", "/elsewhere"),
        ("https://other.example/base/b", "https://other.example/base/b"),
        ("http://10.0.0.7:9090/base/b", "http://10.0.0.7:9090/base/b"),
        ("mailto:someone@example.com", "mailto:someone@example.com"),
    ],
)
def test_what_points_at_the_upstream_points_at_the_gate(said: str, passed: str) -> None:
    assert references().rewritten("location", said) == passed


@pytest.mark.parametrize(
    "said",
    [
        "http://10.0.0.7:8080/",
        "http://10.0.0.7:8080/admin",
        "http://10.0.0.7:8080/based",
        "http://[",
    ],
)
def test_what_the_gate_does_not_serve_is_left_out(said: str) -> None:
    assert references().rewritten("location", said) is None


def test_any_of_the_destinations_is_the_upstream_and_default_ports_are_one() -> None:
    both = references(*PLACES)
    for said in ("https://api.internal/b", "http://api.internal/b", "//API.internal.:443/b"):
        assert both.rewritten("location", said) == "/gate/files/b"
    assert both.rewritten("location", "https://api.internal:8443/b") is not None


@pytest.mark.parametrize(
    "said",
    [
        "http://10.0.0.7:8080/base//evil.example/x",
        "http://10.0.0.7:8080/base/\t/evil.example/x",
        "http://10.0.0.7:8080/base/\\evil.example/x",
        "/base//evil.example/x",
        "/base/\\\\evil.example",
    ],
)
def test_no_path_becomes_another_host(said: str) -> None:
    passed = references(prefix="").rewritten("location", said)
    assert passed is not None
    assert passed.startswith("/")
    assert passed[1] not in "/\\"


def test_upstream_of_websockets_is_known_by_its_http_address_too() -> None:
    sockets = references("ws://api.internal/live")
    for said in ("http://api.internal/live/b", "wss://api.internal/live/b"):
        assert sockets.rewritten("location", said) == "/gate/files/b"


def test_changed_paths_are_changed_back() -> None:
    changed = references(called="/v1/a", strip_prefix="/v1", add_prefix="/api")
    assert changed.rewritten("location", "/base/api/b") == "/gate/files/v1/b"
    assert changed.rewritten("location", "http://10.0.0.7:8080/base/b") is None
    bare = references(called="/a", strip_prefix="/v1", add_prefix="/api")
    assert bare.rewritten("location", "/base/api/b") == "/gate/files/b"


@pytest.mark.parametrize("host", [{"host": "api.example"}, {"keeps_host": True}])
def test_host_that_the_upstream_is_told_is_its_own(host: dict[str, Any]) -> None:
    name = str(host.get("host", "files.example"))
    told = references(prefix="", **host)
    assert told.rewritten("location", f"https://{name}/base/b") == "/b"


def test_providers_key_is_not_echoed() -> None:
    key = Credential(in_query=True, name="key", value="secret")
    keyed = references(credential=key)
    assert keyed.rewritten("location", "/base/b?a=1&key=secret&c=2") == "/gate/files/b?a=1&c=2"
    assert keyed.rewritten("location", "b?key=secret") == "b"
    assert keyed.rewritten("location", "https://other.example/?k%65y=secret") is not None
    assert "secret" not in (
        keyed.rewritten("location", "https://other.example/?k%65y=secret") or ""
    )


@pytest.mark.parametrize(
    ("said", "passed"),
    [
        ("5", "5"),
        ("5; url=http://10.0.0.7:8080/base/b", "5; url=/gate/files/b"),
        ("0;URL='/base/b'", "0;URL='/gate/files/b'"),
        ("5; url=http://10.0.0.7:8080/admin", None),
        ("5; url=https://other.example/", "5; url=https://other.example/"),
    ],
)
def test_refresh_is_read_as_browsers_do(said: str, passed: str | None) -> None:
    assert references().rewritten("refresh", said) == passed


def test_links_are_rewritten_each() -> None:
    said = '<http://10.0.0.7:8080/base/b?page=2>; rel="next", <https://other.example/>; rel="help"'
    assert references().rewritten("link", said) == (
        '</gate/files/b?page=2>; rel="next", <https://other.example/>; rel="help"'
    )
    assert references().rewritten("link", "<http://10.0.0.7:8080/admin>; rel=up") is None
