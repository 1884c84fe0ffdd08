from billing.sandbox.faults import STRIKES, Fault, Faults
from tests.sandboxes import ROOT


def test_every_fault_says_what_it_strikes() -> None:
    assert set(STRIKES) == set(Fault)


def test_every_fault_is_documented() -> None:
    operations = (ROOT / "docs" / "operations.md").read_text().replace("`", "")
    assert all(f"| {fault} | {strikes} |" in operations for fault, strikes in STRIKES.items())


def test_fault_strikes_while_it_is_on() -> None:
    faults = Faults()
    assert not faults.strikes(Fault.DROPPED)
    faults.switch_on(Fault.DROPPED)
    assert all(faults.strikes(Fault.DROPPED) for _ in range(5))
    assert not faults.strikes(Fault.STALE)
    faults.switch_off(Fault.DROPPED)
    assert not faults.strikes(Fault.DROPPED)


def test_fault_ends_after_as_many_times_as_were_asked_for() -> None:
    faults = Faults()
    faults.switch_on(Fault.DROPPED, 2)
    assert [faults.strikes(Fault.DROPPED) for _ in range(3)] == [True, True, False]
    assert not faults.is_on(Fault.DROPPED)
