from dataclasses import fields, replace

import pytest

from billing.domain.payments import Terms, differences

EXPECTED = Terms(
    purchase_id="11" * 32,
    buyer="GBUYER",
    digest="22" * 32,
    access_key="33" * 32,
    asset="CASSET",
    amount=2_500_000,
    fee=25_000,
    payee="GPAYEE",
    treasury="GTREASURY",
)


def test_equal_payment_has_no_differences() -> None:
    assert differences(replace(EXPECTED), EXPECTED) == ()


@pytest.mark.parametrize("name", [field.name for field in fields(Terms)])
def test_every_field_counts(name: str) -> None:
    value = 1 if isinstance(getattr(EXPECTED, name), int) else "other"
    assert differences(replace(EXPECTED, **{name: value}), EXPECTED) == (name,)


def test_all_differences_are_named() -> None:
    paid = replace(EXPECTED, amount=1, fee=0, buyer="GOTHER")
    assert differences(paid, EXPECTED) == ("buyer", "amount", "fee")
