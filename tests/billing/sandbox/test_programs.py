"""What the contract did on the network's own host, it does here: same ledger, call and end."""

import base64
from typing import Any

import pytest
from stellar_sdk import Asset, scval, xdr
from stellar_sdk.auth import authorization_payload_hash, build_authorization_preimage

from billing.sandbox import calling, contract, entries, network
from billing.sandbox.auth import Enforcing
from billing.sandbox.host import Closing
from billing.sandbox.hosterrors import HostError
from billing.sandbox.state import Entry, State, View
from tests.vectors.contract import CALLS, KNOWN, PAID

CLOSING = Closing(KNOWN["sequence"], KNOWN["closed_at"])
FOREVER = 2**32 - 1
UNNAMED = xdr.ContractExecutable(
    xdr.ContractExecutableType.CONTRACT_EXECUTABLE_WASM, wasm_hash=xdr.Hash(bytes(32))
).to_xdr_bytes()
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
    executable = contract.EXECUTABLE.to_xdr_bytes()
    data = found.data.replace(UNNAMED, executable)
    state.entries[key] = Entry(data, 0, found.live_until)
    code = entries.of_code(contract.HASH, contract.WASM).to_xdr_bytes()
    state.entries[entries.code_key(contract.HASH).to_xdr_bytes()] = Entry(code, 0, FOREVER)
    return state


def run(call: dict[str, Any]) -> tuple[View, calling.Returned]:
    view = View(ledger_of(call), CLOSING.sequence)
    signed = [xdr.SorobanAuthorizationEntry.from_xdr(entry) for entry in call["auth"]]
    function = xdr.HostFunction.from_xdr(call["function"])
    enforcing = Enforcing(signed, source=NOBODY, view=view)
    return view, calling.run(function, view=view, closing=CLOSING, authorization=enforcing)


@pytest.mark.parametrize("call", [*CALLS, *KNOWN["malformed"]], ids=lambda call: call["label"])
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
        key: None
        if entry is None
        else (entry.data.replace(UNNAMED, contract.EXECUTABLE.to_xdr_bytes()), entry.live_until)
        for key, entry in of_rows(call["written"]).items()
    }
    assert written == expected


def provided(view: View, vector: dict[str, Any]) -> None:
    """The buyer with all there may be of the asset, the others with nothing."""
    price = vector["quote"]["price"]
    asset = Asset(price["asset"], price["issuer"])
    people = {KNOWN["buyer"]: network.INT64_MAX}
    for name in {vector["quote"]["payee"], vector["quote"]["treasury"]}:
        people[name] = 0
    for name, balance in people.items():
        line = view.trustline(name, asset)
        assert line is not None
        line.balance = xdr.Int64(balance)
        view.put_trustline(name, asset, line)


def expect_what_was_signed(signed: xdr.SorobanAuthorizationEntry, vector: dict[str, Any]) -> None:
    until = KNOWN["valid_until_ledger"]
    preimage = build_authorization_preimage(signed, until, network.PASSPHRASE)
    assert preimage.to_xdr() == vector["preimage_xdr"]
    assert authorization_payload_hash(preimage).hex() == vector["authorization_to_sign"]
    assert bytes.fromhex(vector["signature"]) in signed.credentials.to_xdr_bytes()
    call = signed.root_invocation.function.contract_fn
    assert call is not None
    assert call.args[1].to_xdr_bytes().hex() == vector["quote_xdr"]
    assert scval.from_bytes(call.args[3]).hex() == vector["quote"]["signature"]


@pytest.mark.parametrize("vector", PAID, ids=lambda vector: vector["label"])
def test_quote_of_the_protocol_is_paid_as_on_the_networks_own_host(vector: dict[str, Any]) -> None:
    view = View(ledger_of({"entries": {}}), CLOSING.sequence)
    provided(view, vector)
    signed = xdr.SorobanAuthorizationEntry.from_xdr(vector["signed_entry_xdr"])
    function = xdr.HostFunction(
        xdr.HostFunctionType.HOST_FUNCTION_TYPE_INVOKE_CONTRACT,
        invoke_contract=signed.root_invocation.function.contract_fn,
    )
    expect_what_was_signed(signed, vector)
    closing = Closing(CLOSING.sequence, vector["quote"]["expires_at"])
    enforcing = Enforcing([signed], source=NOBODY, view=view)
    returned = calling.run(function, view=view, closing=closing, authorization=enforcing)
    assert returned.value == scval.to_bytes(bytes.fromhex(vector["quote"]["digest"]))
    assert [event.to_xdr() for event in returned.events] == vector["events"]
    body = returned.events[-1].body.v0
    assert body is not None
    assert [topic.to_xdr() for topic in body.topics] == vector["event_topics"]
    assert body.data.to_xdr() == vector["event_data"]
