import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.metering import JsonMeter, UsageMeter
from gateway.domain.tallying import BODY_BYTES_MAX, EVENT_BYTES_MAX, Form, Tally, form_of
from gateway.domain.units import TOKENS, Unit

METER = UsageMeter()
DELTA = b'data: {"choices":[{"delta":{"content":"a"}}],"usage":null}\n\n'
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2}}\n\n'
DONE = b"data: [DONE]\n\n"
STREAM = b": hello\n\n" + DELTA + DELTA.replace(b"\n", b"\r\n") + USAGE + DONE
LINES = (
    b'{"response":"a","done":false}\n{"response":"b","done":false}\n'
    b'{"response":"","done":true,"prompt_eval_count":9,"eval_count":2}'
)


def tallied(
    body: bytes, cuts: list[int], form: Form, *, hides: bool = False
) -> tuple[Tally, bytes]:
    tally, shown, start = Tally(METER, form, hides=hides), b"", 0
    for end in [*sorted(cuts), len(body)]:
        shown += tally.feed(body[start:end])
        start = end
    return tally, shown + tally.finish()


cut_anywhere = st.lists(st.integers(0, len(STREAM)), max_size=30)


@given(cut_anywhere)
def test_any_chunking_counts_the_same_and_passes_what_came(cuts: list[int]) -> None:
    tally, shown = tallied(STREAM, cuts, Form.EVENTS)
    assert shown == STREAM
    assert (tally.tokens_in, tally.tokens_out, tally.deltas) == (9, 2, 2)


@given(cut_anywhere)
def test_any_chunking_hides_the_report_alone(cuts: list[int]) -> None:
    tally, shown = tallied(STREAM, cuts, Form.EVENTS, hides=True)
    assert shown == STREAM.replace(USAGE, b"")
    assert tally.final(TOKENS) == {Unit.BYTES: len(STREAM), "tokens_in": 9, "tokens_out": 2}


@given(st.lists(st.integers(0, len(LINES)), max_size=30))
def test_any_chunking_counts_the_same_in_lines(cuts: list[int]) -> None:
    tally, shown = tallied(LINES, cuts, Form.LINES)
    assert shown == LINES
    assert (tally.tokens_in, tally.tokens_out, tally.deltas) == (9, 2, 2)


@given(st.lists(st.binary(max_size=50), max_size=20))
def test_nothing_that_an_answer_holds_breaks_the_count(chunks: list[bytes]) -> None:
    for form in Form:
        tally, shown = Tally(METER, form, hides=True), b""
        for chunk in chunks:
            shown += tally.feed(chunk)
        assert shown + tally.finish() == b"".join(chunks)


def test_whole_events_are_shown_at_once_though_a_report_may_follow() -> None:
    tally = Tally(METER, Form.EVENTS, hides=True)
    assert tally.feed(DELTA) == DELTA
    assert tally.feed(USAGE[:20]) == b""
    assert tally.feed(USAGE[20:]) == b""
    assert tally.feed(DONE) == DONE


def test_event_that_is_too_large_to_keep_is_passed_on() -> None:
    tally, large = Tally(METER, Form.EVENTS, hides=True), b"data: " + b"x" * EVENT_BYTES_MAX
    shown = tally.feed(large) + tally.feed(b"y\n\n" + DELTA)
    assert shown == large + b"y\n\n" + DELTA
    assert tally.deltas == 1


def test_stream_that_ends_before_it_reports_counts_its_deltas() -> None:
    tally, _ = tallied(DELTA * 3, [], Form.EVENTS)
    assert tally.final(frozenset({Unit.TOKENS_OUT})) == {
        Unit.BYTES: len(DELTA) * 3,
        Unit.TOKENS_IN: 0,
        Unit.TOKENS_OUT: 3,
    }
    assert tally.final(TOKENS) is None


def test_deltas_after_a_running_total_are_added_to_it() -> None:
    running = DELTA.replace(b"null", b'{"prompt_tokens":4,"completion_tokens":5}')
    tally, _ = tallied(running + DELTA, [], Form.EVENTS)
    assert tally.so_far()[Unit.TOKENS_OUT] == 6


def test_whole_body_is_read_at_its_end() -> None:
    body = json.dumps({"usage": {"prompt_tokens": 3, "completion_tokens": 4}}).encode()
    tally, _ = tallied(body, [5], Form.WHOLE)
    assert (tally.tokens_in, tally.tokens_out) == (3, 4)
    cut = Tally(METER, Form.WHOLE)
    cut.feed(body[:20])
    assert cut.final(TOKENS) is None


def test_large_body_is_read_by_its_tail() -> None:
    body = json.dumps({"data": ["x" * BODY_BYTES_MAX], "usage": {"prompt_tokens": 3}}).encode()
    tally, shown = tallied(body, [100, BODY_BYTES_MAX], Form.WHOLE)
    assert shown == body
    assert tally.tokens_in == 3


def test_pointers_are_read_in_bodies_and_events() -> None:
    meter = JsonMeter("/in", "/n/0")
    tally = Tally(meter, Form.WHOLE)
    tally.feed(b'{"in":7,"n":[8]}')
    tally.finish()
    assert (tally.tokens_in, tally.tokens_out) == (7, 8)
    tally = Tally(meter, Form.EVENTS)
    tally.feed(b'data: {"in":7}\n\ndata: {"n":[8]}\n\ndata: {"n":[9]}\n\n')
    assert (tally.tokens_in, tally.tokens_out) == (7, 9)


def test_nothing_received_costs_no_units() -> None:
    assert Tally(METER, Form.EVENTS).final(TOKENS) == dict.fromkeys(Unit, 0)


@pytest.mark.parametrize(
    ("content_type", "encoded", "form"),
    [
        ("text/event-stream; charset=utf-8", False, Form.EVENTS),
        ("application/x-ndjson", False, Form.LINES),
        ("application/json", False, Form.WHOLE),
        ("application/problem+json", False, Form.WHOLE),
        ("text/html", False, Form.UNREAD),
        ("application/json", True, Form.UNREAD),
    ],
)
def test_form_of_an_answer(content_type: str, encoded: bool, form: Form) -> None:
    assert form_of(content_type, is_encoded=encoded) is form
