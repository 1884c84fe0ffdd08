import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.errors import (
    GRANT_EXPIRED,
    OUT_OF_SCOPE,
    PAYMENT_REQUIRED,
    PROBLEMS,
    QUOTA_EXHAUSTED,
    REVOKED,
    ROUTE_NOT_FOUND,
    Problem,
)
from gateway.domain.grpc import Code, Framing, code_of, ending, has_failed, is_grpc, timeout_s


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        (b"application/grpc", True),
        (b"application/grpc+proto", True),
        (b"application/grpc; charset=utf-8", True),
        (b"application/grpc-web", False),
        (b"application/json", False),
    ],
)
def test_call_is_told_by_its_content_type(content_type: bytes, expected: bool) -> None:
    assert is_grpc([(b"x", b"y"), (b"content-type", content_type)]) is expected


def test_request_without_content_type_is_no_call() -> None:
    assert not is_grpc([])


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (PAYMENT_REQUIRED, Code.UNAUTHENTICATED),
        (GRANT_EXPIRED, Code.UNAUTHENTICATED),
        (REVOKED, Code.UNAUTHENTICATED),
        (OUT_OF_SCOPE, Code.PERMISSION_DENIED),
        (QUOTA_EXHAUSTED, Code.RESOURCE_EXHAUSTED),
        (ROUTE_NOT_FOUND, Code.UNIMPLEMENTED),
    ],
)
def test_problem_has_the_code_that_callers_act_upon(problem: Problem, code: Code) -> None:
    assert code_of(problem) is code


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.slug)
def test_every_problem_has_a_code(problem: Problem) -> None:
    assert code_of(problem) is not Code.OK


def test_ending_says_code_sentence_and_type() -> None:
    assert ending(QUOTA_EXHAUSTED, origin="https://gate.example", detail="100 % used — all") == [
        (b"grpc-status", b"8"),
        (b"grpc-message", b"100 %25 used %E2%80%94 all"),
        (b"apicharge-problem", b"https://gate.example/problems/quota-exhausted"),
    ]


@pytest.mark.parametrize(
    ("status", "failed"),
    [
        *((code, False) for code in ("0", "1", "3", "4", "5", "8", "16", "99", "x", "", None)),
        *((code, True) for code in ("2", "12", "13", "14", "15")),
    ],
)
def test_upstream_failed_where_the_caller_is_not_to_blame(status: str | None, failed: bool) -> None:
    assert has_failed(status) is failed


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1H", 3600), ("2M", 120), ("3S", 3), ("250m", 0.25), ("5u", 5e-6), ("7n", 7e-9)],
)
def test_timeout_is_read(text: str, seconds: float) -> None:
    assert timeout_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", [None, "", "S", "1", "123456789S", "1.5S", "1s", "-1S"])
def test_timeout_that_cannot_be_read_is_none(text: str | None) -> None:
    assert timeout_s(text) is None


def framed(size: int) -> bytes:
    return b"\0" + size.to_bytes(4, "big") + b"x" * size


@given(st.lists(st.integers(0, 300), max_size=20), st.lists(st.integers(1, 50), min_size=1))
def test_each_message_begins_once_however_it_is_cut(sizes: list[int], cuts: list[int]) -> None:
    data = b"".join(map(framed, sizes))
    expected = [sum(5 + size for size in sizes[:number]) for number in range(len(sizes))]
    framing, found, at, turn = Framing(), [], 0, 0
    while at < len(data):
        piece = data[at : at + cuts[turn % len(cuts)]]
        found += [at + place for place in framing.begins(piece)]
        at, turn = at + len(piece), turn + 1
    assert found == expected


@pytest.mark.parametrize(
    ("body", "body_bytes", "expected"),
    [
        (b'{"a": 1}', 8, []),
        (b"\x02\0\0\0\0" * 3, None, []),
        (b"\0\0\0\0\x04abc", 8, []),
        (b"\0\0\0\0\x03abc", 8, [0]),
        (bytes(8), 8, [0]),
        (b"\1\0\0\0\0" * 3, 15, [0, 5, 10]),
        (b"\0\0\0\0\1x{\0\0\0\0" + bytes(50), None, [0]),
    ],
)
def test_what_may_be_no_messages_is_none_from_the_first_that_cannot_be_one(
    body: bytes, body_bytes: int | None, expected: list[int]
) -> None:
    assert Framing(is_sure=False, body_bytes=body_bytes).begins(body) == expected


@given(
    sizes=st.lists(st.integers(0, 20), max_size=6),
    cuts=st.lists(st.integers(1, 9), min_size=1, max_size=6),
    is_known=st.booleans(),
)
def test_messages_are_counted_of_whoever_does_not_name_them(
    sizes: list[int], cuts: list[int], is_known: bool
) -> None:
    data = b"".join(map(framed, sizes))
    framing = Framing(is_sure=False, body_bytes=len(data) if is_known else None)
    found, at, turn = 0, 0, 0
    while at < len(data):
        piece = data[at : at + cuts[turn % len(cuts)]]
        found += len(framing.begins(piece))
        at, turn = at + len(piece), turn + 1
    assert (found, framing.is_over) == (len(sizes), False)
