import pytest

from billing.domain.vouchers import ALPHABET, LENGTH, code, digest, plain


def test_code_has_80_bits_in_letters_that_nobody_mixes_up() -> None:
    assert len(set(ALPHABET)) == 32
    assert code(bytes(10)) == "AAAA-AAAA-AAAA-AAAA"
    assert code(b"\xff" * 10) == "9999-9999-9999-9999"
    assert code(bytes(9) + b"\x01") != code(b"\x01" + bytes(9))
    with pytest.raises(ValueError, match="10 bytes"):
        code(bytes(9))


@pytest.mark.parametrize(
    "typed", ["AB12-0000-VVVV-1111", "ab12 oOo0 uvUV ilIL", "AB120000VVVV1111 "]
)
def test_code_is_the_same_however_it_is_typed(typed: str) -> None:
    assert plain(typed) == "AB120000VVVV1111"


@pytest.mark.parametrize("typed", ["", "AB12", "A" * (LENGTH + 1), "AB12-0000-VVVV-111é"])
def test_what_cannot_be_a_code_is_none(typed: str) -> None:
    assert plain(typed) is None


def test_digest_is_of_this_purpose_alone() -> None:
    assert digest("A" * 16) != digest("B" * 16)
    assert len(digest("A" * 16)) == 64
