from gateway.domain.chronicle import (
    BUCKETS,
    LATENCY_MS,
    RECENT_MAX,
    Call,
    Line,
    added,
    newest,
    summed,
)


def call(**changes: object) -> Call:
    plain = Call(1_000.0, "GET", "/a", 200, "completed", 10, 20, 3, 0, 0.004, False)
    return plain._replace(**changes)


def test_line_adds_up_its_calls() -> None:
    line = Line()
    line.called(call())
    line.called(call(status=502, credits=0, messages=7, upstream_failed=True))
    assert (line.calls, line.bytes_up, line.bytes_down) == (2, 20, 40)
    assert (line.credits, line.messages, line.upstream_failures) == (3, 7, 1)


def test_latency_falls_into_the_bucket_whose_bound_it_does_not_exceed() -> None:
    line = Line()
    for seconds in (0.0, 0.001, 0.0011, 0.1, 31.0):
        line.called(call(answered_in_s=seconds))
    counted = dict(zip([*LATENCY_MS, None], line.latencies, strict=True))
    assert {bound: count for bound, count in counted.items() if count} == {
        1: 2,
        2: 1,
        100: 1,
        None: 1,
    }


def test_call_without_an_answer_has_no_latency() -> None:
    line = Line()
    line.called(call(answered_in_s=None))
    assert line.latencies == [0] * BUCKETS


def test_only_the_latest_calls_are_remembered() -> None:
    line = Line()
    for number in range(RECENT_MAX + 5):
        line.called(call(path=f"/{number}"))
    assert [each.path for each in line.recent] == [f"/{n}" for n in range(5, RECENT_MAX + 5)]
    assert line.calls == RECENT_MAX + 5


def test_lines_add_to_the_same_whatever_the_order() -> None:
    one, other = Line(), Line()
    one.called(call())
    one.refused("rate-exceeded", 2)
    other.called(call(answered_in_s=2.0))
    other.refused("rate-exceeded")
    other.refused("payment-required")
    this, that = Line(), Line()
    for line, parts in ((this, (one, other)), (that, (other, one))):
        for part in parts:
            line.add(part)
    assert (this.calls, this.latencies, this.refusals) == (
        that.calls,
        that.latencies,
        that.refusals,
    )
    assert this.refusals == {"payment-required": 1, "rate-exceeded": 3}
    assert sum(this.latencies) == this.calls == 2


def test_histogram_of_fewer_buckets_is_added_to_those_that_it_has() -> None:
    assert added([], [1, 2, 3]) == [1, 2, 3]
    assert added([1, 1], [1, 2, 3]) == added([1, 2, 3], [1, 1]) == [2, 3, 3]


def test_sums_by_name() -> None:
    assert summed({"a": 1}, {"b": 2, "a": 3}) == {"a": 4, "b": 2}


def test_no_grant_takes_the_room_of_the_others_calls() -> None:
    busy, quiet = Line(), Line()
    for number in range(RECENT_MAX):
        busy.called(call(path=f"/{number}"))
    quiet.called(call(path="/quiet"))
    kept = newest([busy, quiet], 10)
    assert [each.path for each in kept[0]] == [f"/{n}" for n in range(15, 20)]
    assert [each.path for each in kept[1]] == ["/quiet"]


def test_never_more_calls_are_kept_than_asked_for() -> None:
    lines = [Line() for _ in range(5)]
    for line in lines:
        line.called(call())
    assert sum(map(len, newest(lines, 3))) == 3
    assert newest([], 3) == []
