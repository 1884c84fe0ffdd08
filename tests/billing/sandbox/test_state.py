"""Views: changes that are kept apart until they are wanted; footprints."""

import pytest
from stellar_sdk import scval

from billing.sandbox import entries
from billing.sandbox.entries import Durability
from billing.sandbox.hosterrors import HostError
from billing.sandbox.state import Declared, Recorded, State, View
from tests.billing.sandbox.town import USDC_SAC, person

KEY = entries.data_key(USDC_SAC, scval.to_symbol("key"), Durability.TEMPORARY)
RAW = KEY.to_xdr_bytes()
ONE, TWO = scval.to_uint32(1), scval.to_uint32(2)


def test_change_is_seen_above_and_not_below_until_merged() -> None:
    below = View(State(), 5)
    above = View(below, 5)
    above.put_value(KEY, ONE, live_until=9)
    assert (above.value(KEY), below.value(KEY)) == (ONE, None)
    above.merge()
    assert below.value(KEY) == ONE


def test_removal_hides_what_lies_below() -> None:
    below = View(State(), 5)
    below.put_value(KEY, ONE, live_until=9)
    above = View(below, 5)
    above.remove(KEY)
    assert above.value(KEY) is None
    assert [(before is None, after) for _, before, after in above.differences()] == [(False, None)]


def test_entry_is_there_to_the_last_ledger_of_its_life() -> None:
    state = State()
    first = View(state, 5)
    first.put_value(KEY, ONE, live_until=9)
    state.apply(first.changes)
    assert View(state, 9).value(KEY) == ONE
    assert View(state, 10).value(KEY) is None
    state.forget_expired(9)
    assert state.entries
    state.forget_expired(10)
    assert not state.entries


def test_what_comes_and_goes_in_one_view_is_no_difference() -> None:
    view = View(View(State(), 5), 5)
    view.put_value(KEY, ONE, live_until=9)
    view.remove(KEY)
    assert list(view.differences()) == []


def test_values_read_cannot_change_what_is_stored() -> None:
    account = entries.new_account(person(1).public_key, balance=5, sequence=1)
    view = View(State(), 5)
    view.put_account(account)
    read = view.account(person(1).public_key)
    assert read is not None
    read.balance.int64 = 6
    again = view.account(person(1).public_key)
    assert again is not None
    assert again.balance.int64 == 5


def test_recorded_footprint_tells_reads_from_writes() -> None:
    footprint = Recorded()
    view = View(State(), 5, footprint)
    view.value(KEY)
    assert (list(footprint.reads), list(footprint.writes)) == ([RAW], [])
    view.put_value(KEY, ONE, live_until=9)
    view.value(KEY)
    assert (list(footprint.reads), list(footprint.writes)) == ([], [RAW])


@pytest.mark.parametrize(
    ("reads", "writes", "can_read", "can_write"),
    [((), (), False, False), ((RAW,), (), True, False), ((), (RAW,), True, True)],
)
def test_declared_footprint_is_a_limit(
    reads: tuple[bytes, ...], writes: tuple[bytes, ...], can_read: bool, can_write: bool
) -> None:
    view = View(State(), 5, Declared(frozenset(reads), frozenset(writes)))

    def allowed(act: object) -> bool:
        try:
            act()  # type: ignore[operator]
        except HostError as error:
            return str(error) != "Error(Storage, ExceededLimit)"
        return True

    assert allowed(lambda: view.value(KEY)) is can_read
    assert allowed(lambda: view.put_value(KEY, TWO, live_until=9)) is can_write
