from typing import Any

import pytest

from gateway.domain.balancing import Way
from gateway.domain.clusters import Cluster, HealthCheck, Place, Tls, cluster
from gateway.domain.reading import Object, Unreadable

ONE: dict[str, Any] = {"slug": "files", "upstreams": [{"url": "http://a.example/x/"}]}


def read(**changes: Any) -> Cluster:
    return cluster(Object({**ONE, **changes}, "service"))


def test_what_is_left_out_has_defaults() -> None:
    assert read() == Cluster("files", (Place("http://a.example/x"),), Way.ROUND_ROBIN, None)
    assert read(health={"path": "/up"}).health == HealthCheck("/up", 2_000, 1_000, 2, 3)


def test_everything_that_is_said_is_read() -> None:
    places = [{"url": "http://a", "weight": 3}, {"url": "http://b"}]
    health = {
        "path": "/up",
        "interval_ms": 500,
        "timeout_ms": 100,
        "healthy_after": 1,
        "unhealthy_after": 9,
    }
    found = read(upstreams=places, balancing="least_requests", health=health)
    assert found.places == (Place("http://a", 3), Place("http://b", 1))
    assert (found.way, found.is_plain) == (Way.LEAST_REQUESTS, False)
    assert found.health == HealthCheck("/up", 500, 100, 1, 9)


def test_tls_settings_are_read_and_not_shown() -> None:
    found = read(tls={"ca": "authority", "certificate": "shown", "key": "hidden"})
    assert found.tls == Tls(b"authority", b"shown\nhidden")
    assert found.client_id == found.tls.id != read(tls={"ca": "authority"}).client_id
    assert read().client_id == ""
    assert not any(word in repr(found) for word in ("authority", "hidden"))


def test_calls_under_another_host_go_through_a_client_of_their_own() -> None:
    assert read(trailers=True).client_id != ""
    assert read(transform={"strip_prefix": "/v1"}).client_id == ""
    assert read(transform={"keeps_host": True}).client_id != ""
    assert read(transform={"host": "api.internal"}).client_id != ""


@pytest.mark.parametrize(
    "changes",
    [
        {"balancing": "by_mood"},
        {"upstreams": [{"url": "http://a", "weight": 0}]},
        {"upstreams": [{"url": "http://a", "weight": 1001}]},
        {"upstreams": [{"weight": 1}]},
        {"tls": {"certificate": "without its key"}},
        {"tls": {"key": "without its certificate"}},
        {"health": {"path": "up"}},
        {"health": {"path": "/a b"}},
        {"health": {"path": "/up", "interval_ms": 1}},
        {"health": {"path": "/up", "healthy_after": 0}},
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        read(**changes)
