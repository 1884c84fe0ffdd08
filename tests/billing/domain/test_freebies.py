import pytest

from billing.domain.freebies import exceeded, signing_hash, wallet_text

ID, DIGEST, KEY = bytes([1]) * 32, bytes([2]) * 32, bytes([3]) * 32


def test_signing_hash_is_that_of_protocol_section_1() -> None:
    # sha256 of "apicharge-free-v1", NUL, 32 x 01, 32 x 02, 32 x 03; made with sha256sum.
    expected = "5f6832195744ce27582b57dd64ce8ddec3b06fc49677c0289727cccd44a6d978"
    assert signing_hash(ID, DIGEST, KEY).hex() == expected


def test_wallets_that_sign_texts_are_shown_that_nothing_is_paid() -> None:
    text = "Free access: nothing is paid.\napicharge-free-v1 " + "ab" * 32
    assert wallet_text(b"\xab" * 32) == text


@pytest.mark.parametrize(
    "parts", [(ID[1:], DIGEST, KEY), (ID, DIGEST + b"x", KEY), (ID, DIGEST, b"")]
)
def test_parts_of_another_length_are_a_fault(parts: tuple[bytes, bytes, bytes]) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        signing_hash(*parts)


@pytest.mark.parametrize(
    ("by_buyer", "by_network", "allowed"),
    [(0, 0, True), (4, 49, True), (5, 0, False), (0, 50, False), (6, 60, False)],
)
def test_free_grants_are_limited_by_buyer_and_by_network(
    by_buyer: int, by_network: int, allowed: bool
) -> None:
    assert (exceeded(by_buyer=by_buyer, by_network=by_network) is None) is allowed
