"""One rule for what an account may hold."""

import pytest
from stellar_sdk import Asset, Keypair, xdr

from billing.sandbox import entries, holdings, network
from billing.sandbox.holdings import Shortfall
from billing.sandbox.state import State, View
from tests.billing.sandbox.town import USDC, person

ALICE, BOB = person(80).public_key, person(81).public_key
ISSUER = str(USDC.issuer)


@pytest.fixture
def view() -> View:
    view = View(State(), 5)
    view.put_account(entries.new_account(ALICE, balance=30_000_000, sequence=1))
    line = entries.new_trustline(ALICE, USDC, limit=100)
    line.balance = xdr.Int64(60)
    view.put_trustline(ALICE, USDC, line)
    return view


@pytest.mark.parametrize(
    ("holder", "asset", "amount", "expected"),
    [
        (ALICE, USDC, -60, None),
        (ALICE, USDC, -61, Shortfall.UNDERFUNDED),
        (ALICE, USDC, 40, None),
        (ALICE, USDC, 41, Shortfall.LINE_FULL),
        (BOB, USDC, 1, Shortfall.NO_TRUSTLINE),
        (ISSUER, USDC, -(10**18), None),
        (ALICE, network.NATIVE, -20_000_000, None),
        (ALICE, network.NATIVE, -20_000_001, Shortfall.UNDERFUNDED),
        (ALICE, network.NATIVE, 2**63 - 1, Shortfall.LINE_FULL),
        (BOB, network.NATIVE, 1, Shortfall.NO_ACCOUNT),
    ],
)
def test_add_goes_to_the_limit_and_not_beyond(
    view: View, holder: str, asset: Asset, amount: int, expected: Shortfall | None
) -> None:
    before = dict(view.changes)
    assert holdings.add(view, holder, asset, amount) == expected
    if expected is not None:
        assert view.changes == before


def test_line_that_its_issuer_has_not_authorized_is_frozen(view: View) -> None:
    line = view.trustline(ALICE, USDC)
    assert line is not None
    line.flags = xdr.Uint32(0)
    view.put_trustline(ALICE, USDC, line)
    assert holdings.add(view, ALICE, USDC, 1) == Shortfall.NOT_AUTHORIZED


def test_issuer_holds_as_much_as_it_likes(view: View) -> None:
    assert holdings.held(view, ISSUER, USDC) == 2**63 - 1
    assert holdings.held(view, ALICE, USDC) == 60
    assert holdings.held(view, BOB, network.NATIVE) == Shortfall.NO_ACCOUNT


def test_names_are_sep_11() -> None:
    assert holdings.sep11_name(network.NATIVE) == "native"
    issuer = Keypair.from_public_key(ISSUER).public_key
    assert holdings.sep11_name(USDC) == f"USDC:{issuer}"
