"""What the contract did on the network's own host, it does here: same ledger, call and end."""

import base64
from typing import Any

import pytest
from stellar_sdk import xdr

from billing.sandbox import calling, contract, entries, network
from billing.sandbox.auth import Enforcing
from billing.sandbox.host import Closing
from billing.sandbox.hosterrors import HostError
from billing.sandbox.state import Entry, State, View
from tests.vectors.contract import CALLS, KNOWN

PURCHASES = [call for call in CALLS if call["name"] == "purchase"]
CLOSING = Closing(KNOWN["sequence"], KNOWN["closed_at"])
NOBODY = network.FRIENDBOT.public_key


def of_rows(rows: dict[str, Any]) -> dict[bytes, Entry | None]:
    read = base64.b64decode
    return {
        read(key): None if row is None else Entry(read(row["data"]), 0, row["live_until"])
        for key, row in rows.items()
    }


def ledger_of(call: dict[str, Any]) -> State:
    state = State()
    state.apply(of_rows(KNOWN["entries"]))
    state.apply(of_rows(call["entries"]))
    key = entries.instance_key(network.CONTRACT).to_xdr_bytes()
    found = state.entries[key]
    data = xdr.LedgerEntryData.from_xdr_bytes(found.data)
    assert data.contract_data is not None
    assert data.contract_data.val.instance is not None
    data.contract_data.val.instance.executable = contract.EXECUTABLE
    state.entries[key] = Entry(data.to_xdr_bytes(), 0, found.live_until)
    return state


def run(call: dict[str, Any]) -> tuple[View, calling.Returned]:
    view = View(ledger_of(call), CLOSING.sequence)
    signed = [xdr.SorobanAuthorizationEntry.from_xdr(entry) for entry in call["auth"]]
    function = xdr.HostFunction.from_xdr(call["function"])
    enforcing = Enforcing(signed, source=NOBODY, view=view)
    return view, calling.run(function, view=view, closing=CLOSING, authorization=enforcing)


@pytest.mark.parametrize("call", PURCHASES, ids=lambda call: call["label"])
def test_call_ends_as_on_the_networks_own_host(call: dict[str, Any]) -> None:
    if "error" in call:
        with pytest.raises(HostError) as refused:
            run(call)
        assert str(refused.value) == call["error"]
        return
    view, returned = run(call)
    assert returned.value.to_xdr() == call["returned"]
    assert [event.to_xdr() for event in returned.events] == call["events"]
    written = {
        key: None if entry is None else (entry.data, entry.live_until)
        for key, entry in view.changes.items()
        if view.below.find(key) != entry
    }
    expected = {
        key: None if entry is None else (entry.data, entry.live_until)
        for key, entry in of_rows(call["written"]).items()
    }
    assert written == expected
