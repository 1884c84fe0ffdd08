import pytest

from gateway.domain.guards import (
    UNBOUND,
    Binding,
    Guard,
    Pace,
    binding,
    client_of,
    read_guard,
    tightens,
)
from gateway.domain.limits import Calls, Concurrency, Rate
from gateway.domain.reading import Object, Unreadable

TEN = Pace(count=10, window_s=5)


def spend(pace: Pace, times: int, now: float, free_at: float = 0.0) -> float:
    for _ in range(times):
        assert pace.wait_s(free_at, now) == 0.0
        free_at = pace.spend(free_at, now)
    return free_at


@pytest.mark.parametrize("pace", [TEN, Pace(3, 1), Pace(7, 60), Pace(1, 1), Pace(1_000, 1)])
def test_exactly_as_many_at_once_as_it_says(pace: Pace) -> None:
    free_at = spend(pace, pace.count, 1_000_000.3)
    assert pace.wait_s(free_at, 1_000_000.3) > 0


def test_room_comes_back_evenly_and_when_it_said() -> None:
    free_at = spend(TEN, 10, 100.0)
    assert TEN.wait_s(free_at, 100.0) == pytest.approx(0.5)
    assert TEN.wait_s(free_at, 100.4) == pytest.approx(0.1)
    free_at = spend(TEN, 1, 100.5, free_at)
    assert TEN.wait_s(free_at, 100.5) == pytest.approx(0.5)
    assert spend(TEN, 10, 200.0, free_at) == pytest.approx(205.0)


def test_calls_without_room_do_not_put_the_next_one_off_for_longer() -> None:
    free_at = 0.0
    for _ in range(1_000):
        free_at = TEN.spend(free_at, 100.0)
    assert free_at == 105.0


def test_grant_from_before_the_guard_is_not_bound() -> None:
    guard = Guard(since_s=100, concurrency=1)
    assert binding(guard, issued_at_s=99, limits=[]) == UNBOUND
    assert binding(guard, issued_at_s=100, limits=[]) == Binding(True, True, True)


def test_grant_is_not_bound_by_what_it_sells_itself() -> None:
    guard = Guard(since_s=0, concurrency=1)
    rated = binding(guard, issued_at_s=1, limits=[Calls(5), Rate(100, 10)])
    assert rated == Binding(pace=False, concurrency=True, shape=True)
    wide = binding(guard, issued_at_s=1, limits=[Concurrency(5)])
    assert wide == Binding(pace=True, concurrency=False, shape=True)


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "20010db800010002::/64"),
        ("2001:db8:1:2::", "20010db800010002::/64"),
        ("2001:db8:1:3::1", "20010db800010003::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80000000000000::/64"),
        ("unknown", "unknown"),
        ("no:address", "no:address"),
    ],
)
def test_client_is_an_ipv4_address_or_an_ipv6_network(address: str, client: str) -> None:
    assert client_of(address) == client


def test_route_has_its_own_guards_and_else_its_services() -> None:
    service = read_guard(
        Object({"guards": {"since": 5, "requests": 9, "window_s": 3, "concurrency": 4}}, "service"),
        Guard(),
    )
    assert service == Guard(since_s=5, pace=Pace(9, 3), concurrency=4)
    own = {"since": 7, "concurrency": 2, "client_requests": 1, "client_window_s": 60}
    own |= {"client_concurrency": 3, "body_bytes": 10, "idle_ms": 500}
    route = read_guard(Object({"guards": own}, "route"), service)
    assert route == Guard(7, Pace(1, 60), 3, Pace(9, 3), 2, 10, 500)
    assert read_guard(Object({}, "route"), service) == service


def test_nothing_said_is_no_guard() -> None:
    assert not read_guard(Object({}, "route"), Guard()).is_set
    assert not read_guard(
        Object({"guards": {"since": 9, "idle_ms": None}}, "route"), Guard()
    ).is_set


@pytest.mark.parametrize(
    "said", [{"requests": 5}, {"concurrency": 0}, {"body_bytes": "1"}, {"idle_ms": -1}]
)
def test_what_cannot_be_a_guard_is_no_snapshot(said: dict[str, object]) -> None:
    with pytest.raises(Unreadable):
        read_guard(Object({"guards": said}, "route"), Guard())


def test_words_name_every_guard() -> None:
    guard = Guard(0, Pace(1, 60), 3, Pace(9_000, 3), 2, 10_000, 500)
    assert guard.words() == [
        "at most 1 calls in 60 s from one address",
        "at most 3 at a time from one address",
        "at most 9,000 calls in 3 s from all together",
        "at most 2 at a time from all together",
        "request bodies of at most 10,000 bytes",
        "no silence of more than 0.5 s in a body or WebSocket",
    ]
    assert Guard().words() == []


@pytest.mark.parametrize(
    ("after", "before", "tighter"),
    [
        (Guard(), Guard(), False),
        (Guard(concurrency=5), Guard(), True),
        (Guard(), Guard(concurrency=5), False),
        (Guard(concurrency=4), Guard(concurrency=5), True),
        (Guard(concurrency=5), Guard(concurrency=4), False),
        (Guard(pace=Pace(10, 60)), Guard(pace=Pace(10, 60)), False),
        (Guard(pace=Pace(10, 60)), Guard(), True),
        (Guard(pace=Pace(20, 60)), Guard(pace=Pace(10, 60)), False),
        (Guard(pace=Pace(20, 240)), Guard(pace=Pace(10, 60)), True),
        (Guard(pace=Pace(5, 1)), Guard(pace=Pace(10, 60)), True),
        (Guard(body_bytes_max=9, idle_ms=5), Guard(body_bytes_max=8, idle_ms=6), True),
    ],
)
def test_guard_is_tighter_where_it_may_refuse_what_was_let_in(
    after: Guard, before: Guard, tighter: bool
) -> None:
    assert tightens(after, before) is tighter
