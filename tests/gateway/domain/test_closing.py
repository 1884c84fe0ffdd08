import pytest

from gateway.domain.closing import CODES, IDLE_REASON, REASON_BYTES_MAX, Close, close_for
from gateway.domain.exchange import End


@pytest.mark.parametrize("end", CODES, ids=str)
def test_every_end_that_is_told_has_words(end: End) -> None:
    close = close_for(end, "")
    assert close.reason
    assert 1001 <= close.code < 5000


def test_no_end_of_a_running_conversation_is_without_a_code() -> None:
    before = {End.UPSTREAM_UNREACHABLE, End.UPSTREAM_SILENT, End.LEDGER_UNAVAILABLE}
    of_calls = {End.UPSTREAM_ERROR, End.UPSTREAM_STALLED, End.REQUEST_MALFORMED}
    of_calls |= {End.REQUEST_STALLED, End.BODY_TOO_LARGE, End.DEADLINE}
    by_the_sides = {End.COMPLETED, End.CLIENT_GONE}
    assert set(End) - set(CODES) == before | of_calls | by_the_sides


def test_protocols_own_codes() -> None:
    ends = (
        End.REVOKED,
        End.EXPIRED,
        End.TOKEN_EXPIRED,
        End.EXHAUSTED,
        End.OUTSIDE_SCHEDULE,
    )
    assert [CODES[end] for end in ends] == [4001, 4002, 4002, 4003, 4003]


def test_reason_fits_a_close_frame_and_stays_text() -> None:
    reason = close_for(End.EXHAUSTED, "ü" * 100).reason
    assert reason == "ü" * 61
    assert len(reason.encode()) <= REASON_BYTES_MAX


def test_idle_says_so() -> None:
    assert close_for(End.IDLE, "") == Close(1001, IDLE_REASON)
