"""Calls inside calls, and values that no contract expected."""

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stellar_sdk import Address, StrKey, scval, xdr

from billing.sandbox import assets, entries, network
from billing.sandbox.auth import Enforcing
from billing.sandbox.host import Closing, Contract, Host
from billing.sandbox.hosterrors import HostError
from billing.sandbox.programs import program_of
from billing.sandbox.state import View
from tests.billing.sandbox.town import BUYER, PAYEE, USDC_SAC, Town

CALLER = StrKey.encode_contract(bytes([11]) * 32)
EXECUTABLE = xdr.ContractExecutable(
    xdr.ContractExecutableType.CONTRACT_EXECUTABLE_WASM, wasm_hash=xdr.Hash(bytes(32))
)


class Relay:
    """A contract that does what its test wants inside a call."""

    def defines(self, function: str) -> bool:
        return True

    def call(
        self, host: Host, instance: xdr.SCContractInstance, function: str, args: Sequence[xdr.SCVal]
    ) -> xdr.SCVal:
        if function == "again":
            return host.call(CALLER, "again")
        if function == "pay":
            own = scval.to_address(CALLER)
            return host.call(USDC_SAC, "transfer", own, *args)
        return host.call(USDC_SAC, "transfer", *args)


def host(town: Town) -> Host:
    view = town.node.view()
    view.put_value(entries.instance_key(CALLER), entries.new_instance(EXECUTABLE), live_until=999)

    def programs(executable: xdr.ContractExecutable, _view: View) -> Contract:
        return Relay() if executable == EXECUTABLE else assets.AssetContract()

    closing = Closing(town.node.latest.sequence, int(town.now_s))
    return Host(view, closing, Enforcing([], source="", view=view), programs)


def test_contract_cannot_be_entered_again(town: Town) -> None:
    with pytest.raises(HostError) as refusal:
        host(town).call(CALLER, "again")
    assert str(refusal.value) == "Error(Context, InvalidAction)"
    assert refusal.value.message == "Contract re-entry is not allowed"


def test_contract_authorizes_what_it_calls_itself(town: Town) -> None:
    """It holds nothing, so it gets past the authorization and fails for the balance."""
    with pytest.raises(HostError) as refusal:
        host(town).call(CALLER, "pay", scval.to_address(PAYEE.public_key), scval.to_int128(1))
    assert str(refusal.value) == "Error(Contract, #10)"
    assert refusal.value.contract == USDC_SAC


def test_contract_cannot_authorize_for_somebody_else(town: Town) -> None:
    accounts = [scval.to_address(who.public_key) for who in (BUYER, PAYEE)]
    with pytest.raises(HostError) as refusal:
        host(town).call(CALLER, "steal", *accounts, scval.to_int128(1))
    assert str(refusal.value) == "Error(Auth, InvalidAction)"


def test_code_that_the_sandbox_does_not_have_is_refused(town: Town) -> None:
    made = host(town)
    made.programs = program_of
    with pytest.raises(HostError) as refusal:
        made.call(CALLER, "again")
    assert str(refusal.value) == "Error(Storage, MissingValue)"


atoms = st.one_of(
    st.just(scval.to_void()),
    st.booleans().map(scval.to_bool),
    st.integers(0, 2**32 - 1).map(scval.to_uint32),
    st.integers(0, 2**64 - 1).map(scval.to_uint64),
    st.integers(-(2**127), 2**127 - 1).map(scval.to_int128),
    st.binary(max_size=70).map(scval.to_bytes),
    st.text(max_size=9).map(scval.to_string),
    st.binary(max_size=9).map(
        lambda raw: xdr.SCVal(xdr.SCValType.SCV_SYMBOL, sym=xdr.SCSymbol(raw))
    ),
    st.sampled_from([BUYER.public_key, PAYEE.public_key, USDC_SAC, CALLER]).map(scval.to_address),
    st.just(
        scval.to_address(
            Address("MA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUAAAAAAAAAAAACJUQ")
        )
    ),
)
values = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(scval.to_vec),
        st.lists(st.tuples(inner, inner), max_size=9).map(
            lambda pairs: xdr.SCVal(
                xdr.SCValType.SCV_MAP,
                map=xdr.SCMap([xdr.SCMapEntry(key, value) for key, value in pairs]),
            )
        ),
    ),
    max_leaves=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    function=st.sampled_from([*assets.FUNCTIONS, "purchase"]),
    args=st.lists(values, max_size=6),
    contract=st.sampled_from([USDC_SAC, network.NATIVE_CONTRACT, network.CONTRACT]),
)
def test_no_value_does_more_than_fail(
    town: Town, function: str, args: list[xdr.SCVal], contract: str
) -> None:
    """Anything else than an answer or a host error would stop the ledger when it closes."""
    simulated = town.simulate(town.call(args, contract=contract, function=function))
    assert simulated.error is None or simulated.error.startswith("HostError: Error(")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(field=st.integers(0, 5), value=values)
def test_no_strange_argument_of_a_purchase_does_more_than_fail(
    town: Town, field: int, value: xdr.SCVal
) -> None:
    arguments = town.purchase()
    arguments[field] = value
    simulated = town.simulate(town.call(arguments))
    assert simulated.error is None or simulated.error.startswith("HostError: Error(")
