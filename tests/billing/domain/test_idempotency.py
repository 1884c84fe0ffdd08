import pytest

from billing.domain.idempotency import Remembered, Standing, fingerprint, is_key, judge

CLAIMED_AT = 1_800_000_000.0
ANSWERED = Remembered("aa", CLAIMED_AT, answered=True)
OPEN = Remembered("aa", CLAIMED_AT, answered=False)
DAY = 86_400.0


def test_fingerprint_is_of_the_canonical_form() -> None:
    # sha256 of {"a":[1,true],"b":"x"}
    expected = "840356ff5ef245669d78940c5345c77f291c7ecb3f850515822005da36b2cb0c"
    assert fingerprint({"b": "x", "a": [1, True]}) == expected
    assert fingerprint({"a": [1, True], "b": "x"}) == expected


def test_fingerprint_of_another_body_differs() -> None:
    assert fingerprint({"a": 1}) != fingerprint({"a": "1"})


@pytest.mark.parametrize(
    ("row", "print_", "after_s", "standing"),
    [
        (None, "aa", 0.0, Standing.FRESH),
        (ANSWERED, "aa", 0.0, Standing.REPLAY),
        (ANSWERED, "aa", DAY - 1, Standing.REPLAY),
        (ANSWERED, "aa", DAY, Standing.FRESH),
        (ANSWERED, "bb", 0.0, Standing.MISMATCH),
        (ANSWERED, "bb", DAY, Standing.FRESH),
        (OPEN, "aa", 0.0, Standing.IN_FLIGHT),
        (OPEN, "aa", 59.0, Standing.IN_FLIGHT),
        (OPEN, "aa", 60.0, Standing.FRESH),
        (OPEN, "bb", 0.0, Standing.MISMATCH),
    ],
)
def test_request_is_judged_by_what_is_remembered(
    row: Remembered | None, print_: str, after_s: float, standing: Standing
) -> None:
    assert judge(row, fingerprint=print_, now_s=CLAIMED_AT + after_s) is standing


@pytest.mark.parametrize("key", ["a", "0b9d-77", "two words", "x" * 255, '"quoted"'])
def test_printable_ascii_is_a_key(key: str) -> None:
    assert is_key(key)


@pytest.mark.parametrize("key", ["", " a", "a ", "x" * 256, "é", "a\nb", "\0"])
def test_anything_else_is_not(key: str) -> None:
    assert not is_key(key)
