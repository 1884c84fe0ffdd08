import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.limits import (
    Calls,
    Credits,
    Data,
    Direction,
    LimitError,
    Messages,
    Quota,
    block,
    parse_limits,
    window_end_s,
    window_number,
)

KNOWN = "bandwidth, calls, concurrency, credits, data, messages, rate, schedule"
COUNTS = st.integers(min_value=1, max_value=2**53 - 1)
WINDOWS = st.none() | COUNTS
LIMITS = st.one_of(
    st.builds(Calls, count=COUNTS, window_seconds=WINDOWS),
    st.builds(Data, direction=st.sampled_from(Direction), bytes=COUNTS, window_seconds=WINDOWS),
    st.builds(Messages, direction=st.sampled_from(Direction), count=COUNTS, window_seconds=WINDOWS),
    st.tuples(COUNTS, COUNTS, COUNTS, WINDOWS).map(
        lambda drawn: Credits(
            *sorted(drawn[:3], reverse=True)[:1], *sorted(drawn[:3])[:2], drawn[3]
        )
    ),
)


def test_terms_write_every_default_out() -> None:
    raw = [
        {"kind": "calls", "count": 100},
        {"kind": "data", "direction": "down", "bytes": 1_048_576, "window_seconds": 60},
        {"kind": "credits", "credits": 50},
        {"kind": "credits", "credits": 50, "per_call": 2},
    ]
    assert [limit.terms() for limit in parse_limits(raw)] == [
        {"kind": "calls", "count": 100, "window_seconds": None},
        {"kind": "data", "direction": "down", "bytes": 1_048_576, "window_seconds": 60},
        {
            "kind": "credits",
            "credits": 50,
            "per_call": 1,
            "max_per_call": 1,
            "per_unit": None,
            "window_seconds": None,
        },
        {
            "kind": "credits",
            "credits": 50,
            "per_call": 2,
            "max_per_call": 2,
            "per_unit": None,
            "window_seconds": None,
        },
    ]


@given(st.lists(LIMITS, max_size=5))
def test_terms_parse_back_to_the_same_limits(
    limits: list[Quota],
) -> None:
    assert parse_limits([limit.terms() for limit in limits]) == tuple(limits)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"kind": "calls", "count": 1}, "limits must be a list."),
        ([7], "limits[0] must be an object."),
        ([{"count": 1}], f"limits[0].kind: None is not one of {KNOWN}."),
        (
            [{"kind": "wishes", "count": 1}],
            f"limits[0].kind: 'wishes' is not one of {KNOWN}.",
        ),
        (
            [{"kind": "messages", "count": 1}],
            "limits[0].direction must be up, down or both.",
        ),
        ([{"kind": ["calls"]}], f"limits[0].kind: ['calls'] is not one of {KNOWN}."),
        ([{"kind": "calls"}], "limits[0].count must be an integer."),
        ([{"kind": "calls", "count": True}], "limits[0].count must be an integer."),
        ([{"kind": "calls", "count": 1.0}], "limits[0].count must be an integer."),
        ([{"kind": "calls", "count": 0}], "limits[0].count must be from 1 to 2^53-1."),
        ([{"kind": "calls", "count": 2**53}], "limits[0].count must be from 1 to 2^53-1."),
        (
            [{"kind": "calls", "count": 1, "window_seconds": 0}],
            "limits[0].window_seconds must be from 1 to 2^53-1.",
        ),
        (
            [{"kind": "calls", "count": 1, "windowseconds": 60}],
            "limits[0].windowseconds is not a field of this limit.",
        ),
        (
            [{"kind": "data", "bytes": 1}],
            "limits[0].direction must be up, down or both.",
        ),
        (
            [{"kind": "data", "direction": [], "bytes": 1}],
            "limits[0].direction must be up, down or both.",
        ),
        (
            [{"kind": "credits", "credits": 9, "per_call": 3, "max_per_call": 2}],
            "limits[0].max_per_call must not be less than per_call.",
        ),
        (
            [{"kind": "credits", "credits": 9, "max_per_call": 10}],
            "limits[0].max_per_call must not be more than credits: no call could be made.",
        ),
        (
            [{"kind": "credits", "credits": 9, "per_unit": {"of": "messages", "credits": 1}}],
            "limits[0].per_unit.of is not one of bytes, tokens_in, tokens_out.",
        ),
        ([{"kind": "calls", "count": 1}] * 17, "limits: at most 16 of them."),
    ],
)
def test_a_limit_that_cannot_be_enforced_is_refused_with_the_field_named(
    raw: object, message: str
) -> None:
    with pytest.raises(LimitError) as refusal:
        parse_limits(raw)
    assert str(refusal.value) == message


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        (Calls(1), "1 call"),
        (Calls(1000), "1,000 calls"),
        (Calls(1000, 3600), "1,000 calls every hour"),
        (Calls(10, 7200), "10 calls every 2 hours"),
        (Calls(10, 90), "10 calls every 90 seconds"),
        (Calls(10, 2_592_000), "10 calls every 30 days"),
        (Data(Direction.DOWN, 10_485_760), "10 MiB downloaded"),
        (Data(Direction.UP, 5_000_000_000, 86_400), "5 GB uploaded every day"),
        (Data(Direction.BOTH, 1_048_577), "1,048,577 bytes up and down"),
        (Data(Direction.BOTH, 1), "1 byte up and down"),
        (Messages(Direction.DOWN, 1000), "1,000 messages received"),
        (Messages(Direction.UP, 1, 60), "1 message sent every minute"),
        (Messages(Direction.BOTH, 5), "5 messages sent and received"),
        (Credits(50), "50 credits, 1 a call"),
        (Credits(50, 1, 10, 60), "50 credits, 1 to 10 a call every minute"),
    ],
)
def test_words_say_what_is_sold(limit: Quota, words: str) -> None:
    assert limit.words() == words


@pytest.mark.parametrize(
    ("left", "waiting", "last_second", "leased"),
    [
        (100, 0, 0, 1),
        (100, 1, 0, 1),
        (100, 30, 0, 30),
        (100, 250, 0, 100),
        (100, 1, 10, 20),
        (100, 1, 40, 25),
        (100, 30, 40, 30),
        (3, 1, 40, 1),
        (0, 5, 5, 0),
        (1_999, 1, 0, 1),
        (20_000, 1, 5, 20),
        (10**9, 1, 5, 64),
        (10**9, 1, 50, 100),
    ],
)
def test_a_block_is_two_seconds_of_use_but_no_more_than_a_quarter_ahead_of_need(
    left: int, waiting: int, last_second: int, leased: int
) -> None:
    assert block(left, waiting=waiting, quantum=1, last_second=last_second) == leased


@given(*[st.integers(min_value=0, max_value=10**9)] * 3, COUNTS)
def test_a_block_is_never_more_than_what_is_left(
    left: int, waiting: int, last_second: int, quantum: int
) -> None:
    leased = block(left, waiting=waiting, quantum=quantum, last_second=last_second)
    assert 0 <= leased <= left
    assert leased >= min(left, waiting)


def test_windows_count_from_the_start_of_the_grant() -> None:
    def number(now_s: float) -> int:
        return window_number(start_s=1000, window_seconds=60, now_s=now_s)

    assert [number(now_s) for now_s in (995, 1000, 1059.999, 1060, 1120)] == [0, 0, 0, 1, 2]
    assert window_end_s(start_s=1000, window_seconds=60, number=1) == 1120
    assert window_number(start_s=1000, window_seconds=None, now_s=10**9) == 0
    assert window_end_s(start_s=1000, window_seconds=None, number=0) == math.inf


@given(
    st.integers(min_value=0, max_value=2**40),
    st.integers(min_value=1, max_value=2**40),
    st.integers(min_value=0, max_value=2**41),
)
def test_now_is_within_its_window(start_s: int, window_seconds: int, since_s: int) -> None:
    now_s = start_s + since_s
    number = window_number(start_s=start_s, window_seconds=window_seconds, now_s=now_s)
    end_s = window_end_s(start_s=start_s, window_seconds=window_seconds, number=number)
    assert end_s - window_seconds <= now_s < end_s


def test_units_that_credits_are_paid_for_are_terms_and_words() -> None:
    prices = [{"of": "tokens_in", "credits": 1, "units": 1000}, {"of": "tokens_out", "credits": 3}]
    raw = {"kind": "credits", "credits": 900, "per_call": 0, "max_per_call": 50}
    [limit] = parse_limits([raw | {"per_unit": prices}])
    assert isinstance(limit, Credits)
    assert parse_limits([limit.terms()]) == (limit,)
    assert limit.words() == (
        "900 credits, 1 for every 1,000 tokens in and 3 for every token out; 50 reserved at a time"
    )
    assert limit.cost({"tokens_in": 1, "tokens_out": 2}) == 7
