import pytest

from gateway.domain.errors import Refusal
from gateway.domain.guards import Guard, Pace
from gateway.domain.limits import Concurrency, Rate
from gateway.guarding import Guarding, Pass
from tests.gateway.selling import LONG_AGO_S, make_grant

ROUTE, HERE, THERE = "files/all", "192.0.2.1", "192.0.2.2"
GRANT = make_grant()


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def guarding(clock: Clock) -> Guarding:
    return Guarding(Pace(3, 60), clock)


def slug(outcome: Pass | Refusal | None) -> str | None:
    return outcome.problem.slug if isinstance(outcome, Refusal) else None


def strangers(guarding: Guarding, times: int, address: str = HERE) -> list[str | None]:
    return [slug(guarding.stranger(address, ROUTE, None)) for _ in range(times)]


def test_strangers_are_answered_as_often_as_the_site_says_by_address(
    guarding: Guarding, clock: Clock
) -> None:
    assert strangers(guarding, 4) == [None, None, None, "too-many-from-here"]
    assert strangers(guarding, 1, THERE) == [None]
    refusal = guarding.stranger(HERE, ROUTE, None)
    assert refusal is not None
    assert refusal.retry_after_s == 20
    clock.now += 20
    assert strangers(guarding, 2) == [None, "too-many-from-here"]
    assert guarding.refused == {"too-many-from-here": 3}


def test_route_may_answer_strangers_less_often_than_the_site(guarding: Guarding) -> None:
    guard = Guard(client_pace=Pace(1, 60))
    assert slug(guarding.stranger(HERE, ROUTE, guard)) is None
    assert slug(guarding.stranger(HERE, ROUTE, guard)) == "too-many-from-here"
    assert slug(guarding.stranger(HERE, "files/other", guard)) is None


def test_without_a_setting_strangers_are_not_counted(clock: Clock) -> None:
    guarding = Guarding(None, clock)
    assert strangers(guarding, 1_000) == [None] * 1_000
    guarding.forged(HERE)
    assert guarding.may_try(HERE)
    assert guarding.clients == 0


def test_strangers_take_no_buyers_room(guarding: Guarding) -> None:
    guard = Guard(client_pace=Pace(2, 60))
    for _ in range(50):
        guarding.stranger(HERE, ROUTE, guard)
    outcomes = [slug(guarding.admit(guard, ROUTE, HERE, GRANT, None)) for _ in range(3)]
    assert outcomes == [None, None, "too-many-from-here"]


def test_new_tokens_are_checked_until_too_many_were_bad(guarding: Guarding, clock: Clock) -> None:
    for _ in range(3):
        assert guarding.may_try(HERE)
        guarding.forged(HERE)
    assert not guarding.may_try(HERE)
    assert guarding.refused == {"too-many-from-here": 1}
    assert guarding.may_try(THERE)
    clock.now += 20
    assert guarding.may_try(HERE)


def test_calls_without_any_token_do_not_keep_new_tokens_from_being_checked(
    guarding: Guarding,
) -> None:
    strangers(guarding, 100)
    assert guarding.may_try(HERE)


def test_what_runs_at_a_time_is_counted_by_address_and_in_all(guarding: Guarding) -> None:
    guard = Guard(client_concurrency=1, concurrency=2)
    first = guarding.admit(guard, ROUTE, HERE, GRANT, None)
    assert isinstance(first, Pass)
    assert slug(guarding.admit(guard, ROUTE, HERE, GRANT, None)) == "too-many-from-here"
    second = guarding.admit(guard, ROUTE, THERE, GRANT, None)
    assert isinstance(second, Pass)
    assert slug(guarding.admit(guard, ROUTE, "192.0.2.3", GRANT, None)) == "route-busy"
    first.end()
    third = guarding.admit(guard, ROUTE, HERE, GRANT, None)
    assert isinstance(third, Pass)
    for each in (first, second, third):
        each.end()
    assert guarding.running == 0


def test_refused_call_takes_nothing(guarding: Guarding) -> None:
    guard = Guard(client_concurrency=1, pace=Pace(1, 60), client_pace=Pace(5, 60))
    admitted = guarding.admit(guard, ROUTE, HERE, GRANT, None)
    assert isinstance(admitted, Pass)
    admitted.end()
    assert slug(guarding.admit(guard, ROUTE, THERE, GRANT, None)) == "route-busy"
    assert guarding.running == 0
    wide = Guard(client_pace=Pace(5, 60))
    outcomes = [slug(guarding.admit(wide, ROUTE, THERE, GRANT, None)) for _ in range(6)]
    assert outcomes == [None] * 5 + ["too-many-from-here"]


def test_body_that_says_it_is_too_large_is_refused(guarding: Guarding) -> None:
    guard = Guard(body_bytes_max=10, idle_ms=500)
    assert slug(guarding.admit(guard, ROUTE, HERE, GRANT, 11)) == "body-too-large"
    admitted = guarding.admit(guard, ROUTE, HERE, GRANT, 10)
    assert isinstance(admitted, Pass)
    assert (admitted.body_bytes_max, admitted.idle_ms) == (10, 500)


def test_grant_that_sells_a_rate_is_held_to_that_rate_alone(guarding: Guarding) -> None:
    guard = Guard(client_pace=Pace(1, 60), pace=Pace(1, 60))
    rated = make_grant(Rate(100, 10))
    assert [slug(guarding.admit(guard, ROUTE, HERE, rated, None)) for _ in range(9)] == [None] * 9
    assert slug(guarding.admit(guard, ROUTE, HERE, GRANT, None)) == "too-many-from-here"


def test_grant_that_sells_a_concurrency_is_held_to_that_alone_and_counts(
    guarding: Guarding,
) -> None:
    guard = Guard(concurrency=2)
    wide = make_grant(Concurrency(9))
    for _ in range(3):
        assert isinstance(guarding.admit(guard, ROUTE, HERE, wide, None), Pass)
    assert slug(guarding.admit(guard, ROUTE, THERE, GRANT, None)) == "route-busy"


def test_grant_from_before_the_guard_keeps_what_was_sold(guarding: Guarding) -> None:
    guard = Guard(LONG_AGO_S + 1, Pace(1, 60), 1, Pace(1, 60), 1, 10, 500)
    for _ in range(3):
        admitted = guarding.admit(guard, ROUTE, HERE, GRANT, 1_000)
        assert isinstance(admitted, Pass)
        assert (admitted.body_bytes_max, admitted.idle_ms) == (None, None)
    later = make_grant(issued_at=LONG_AGO_S + 1)
    assert slug(guarding.admit(guard, ROUTE, THERE, later, 1)) == "route-busy"


def test_a_crowd_of_addresses_costs_bounded_memory(clock: Clock) -> None:
    guarding = Guarding(Pace(1, 60), clock, clients_max=100)
    for number in range(10_000):
        guarding.stranger(f"10.0.{number // 250}.{number % 250}", ROUTE, None)
        guarding.forged(f"2001:db8:0:{number:x}::1")
    assert guarding.clients == 200


def test_one_ipv6_network_is_one_client(guarding: Guarding) -> None:
    answers = [
        slug(guarding.stranger(f"2001:db8:0:1::{number:x}", ROUTE, None)) for number in range(4)
    ]
    assert answers == [None, None, None, "too-many-from-here"]
