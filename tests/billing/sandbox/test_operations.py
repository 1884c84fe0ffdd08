"""Accounts, trustlines, payments: results, what changed, and what did not."""

import pytest
from stellar_sdk import (
    Account,
    Asset,
    ChangeTrust,
    CreateAccount,
    Operation,
    Payment,
    TransactionBuilder,
    scval,
    xdr,
)
from stellar_sdk.soroban_rpc import GetTransactionResponse

from billing.sandbox import network
from tests.billing.sandbox.town import (
    BUYER,
    PAYEE,
    STRANGER,
    USDC,
    Town,
    code_of,
    person,
    signed,
)

XLM = Asset.native()
NEWCOMER = person(60)
NOBODYS = Asset("USDC", person(61).public_key)
UNITS_1000 = 10_000_000_000


def result_of(response: GetTransactionResponse) -> str:
    results = xdr.TransactionResult.from_xdr(str(response.result_xdr)).result.results
    assert results is not None
    tr = results[-1].tr
    assert tr is not None
    found = tr.payment_result or tr.create_account_result or tr.change_trust_result
    assert found is not None
    return found.code.name


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        (Payment(PAYEE.public_key, USDC, "1001"), "PAYMENT_UNDERFUNDED"),
        (Payment(STRANGER.public_key, USDC, "1"), "PAYMENT_NO_TRUST"),
        (Payment(NEWCOMER.public_key, USDC, "1"), "PAYMENT_NO_DESTINATION"),
        (Payment(PAYEE.public_key, NOBODYS, "1"), "PAYMENT_NO_TRUST"),
        (Payment(PAYEE.public_key, XLM, "10000"), "PAYMENT_UNDERFUNDED"),
        (Payment(NEWCOMER.public_key, XLM, "1"), "PAYMENT_NO_DESTINATION"),
        (CreateAccount(PAYEE.public_key, "10"), "CREATE_ACCOUNT_ALREADY_EXIST"),
        (CreateAccount(NEWCOMER.public_key, "0.9999999"), "CREATE_ACCOUNT_LOW_RESERVE"),
        (CreateAccount(NEWCOMER.public_key, "10000"), "CREATE_ACCOUNT_UNDERFUNDED"),
        (ChangeTrust(NOBODYS), "CHANGE_TRUST_NO_ISSUER"),
        (ChangeTrust(USDC, "999.9999999"), "CHANGE_TRUST_INVALID_LIMIT"),
        (ChangeTrust(USDC, "0"), "CHANGE_TRUST_INVALID_LIMIT"),
        (ChangeTrust(network.ASSETS["EURC"], "0"), "CHANGE_TRUST_INVALID_LIMIT"),
        (ChangeTrust(Asset("SELF", BUYER.public_key)), "CHANGE_TRUST_MALFORMED"),
    ],
)
def test_refused_operation_tells_why_and_costs_only_the_fee(
    town: Town, operation: Operation, code: str
) -> None:
    lumens = town.lumens(BUYER)
    sequence = town.sequence(BUYER)
    response = town.apply(town.classic(BUYER, operation))
    assert (code_of(response), result_of(response)) == ("txFAILED", code)
    assert town.balance(BUYER) == UNITS_1000
    assert town.lumens(BUYER) == lumens - 100
    assert town.sequence(BUYER) == sequence + 1


def test_payment_moves_exactly_its_amount(town: Town) -> None:
    assert code_of(town.apply(town.pay(BUYER, PAYEE, "0.0000001"))) == "txSUCCESS"
    assert town.balance(BUYER) == UNITS_1000 - 1
    assert town.balance(PAYEE) == UNITS_1000 + 1


def test_one_refused_operation_undoes_those_before_it(town: Town) -> None:
    envelope = town.classic(
        BUYER, Payment(PAYEE.public_key, USDC, "1"), Payment(PAYEE.public_key, USDC, "1000")
    )
    response = town.apply(envelope)
    assert code_of(response) == "txFAILED"
    assert town.balance(PAYEE) == UNITS_1000
    assert response.events is not None
    assert response.events.contract_events_xdr == []


def test_new_account_starts_at_its_ledger(town: Town) -> None:
    town.apply(town.classic(BUYER, CreateAccount(NEWCOMER.public_key, "5")))
    assert town.lumens(NEWCOMER) == 50_000_000
    assert town.sequence(NEWCOMER) == town.node.latest.sequence << 32


def test_trustline_counts_against_the_reserve_and_gives_it_back(town: Town) -> None:
    eurc = network.ASSETS["EURC"]
    town.apply(town.classic(BUYER, ChangeTrust(eurc)))
    account = town.node.view().account(BUYER.public_key)
    assert account is not None
    assert account.num_sub_entries.uint32 == 2
    town.apply(town.classic(BUYER, ChangeTrust(eurc, "0")))
    account = town.node.view().account(BUYER.public_key)
    assert account is not None
    assert account.num_sub_entries.uint32 == 1
    assert town.node.view().trustline(BUYER.public_key, eurc) is None


def test_account_at_its_reserve_cannot_trust_another_asset(town: Town) -> None:
    town.apply(town.classic(BUYER, CreateAccount(NEWCOMER.public_key, "1.1")))
    response = town.apply(town.classic(NEWCOMER, ChangeTrust(USDC)))
    assert result_of(response) == "CHANGE_TRUST_LOW_RESERVE"


def test_trustline_takes_no_more_than_its_limit(town: Town) -> None:
    town.apply(town.classic(STRANGER, ChangeTrust(USDC, "1")))
    assert result_of(town.apply(town.pay(BUYER, STRANGER, "1.0000001"))) == "PAYMENT_LINE_FULL"
    assert result_of(town.apply(town.pay(BUYER, STRANGER, "1"))) == "PAYMENT_SUCCESS"


def topics_of(response: GetTransactionResponse) -> list[str]:
    assert response.events is not None
    assert response.events.contract_events_xdr is not None
    told = []
    for raw in response.events.contract_events_xdr[-1]:
        body = xdr.ContractEvent.from_xdr(raw).body.v0
        assert body is not None
        told.append(scval.from_symbol(body.topics[0]))
    return told


def test_movements_are_told_as_transfer_mint_and_burn(town: Town) -> None:
    issuer = network.ISSUERS["USDC"]
    assert topics_of(town.apply(town.pay(BUYER, PAYEE))) == ["transfer"]
    assert topics_of(town.apply(town.pay(issuer, PAYEE))) == ["mint"]
    assert topics_of(town.apply(town.pay(BUYER, issuer))) == ["burn"]


def test_asset_code_of_strange_characters_is_refused(town: Town) -> None:
    te = TransactionBuilder(
        Account(BUYER.public_key, town.sequence(BUYER)), network.PASSPHRASE, 100
    )
    te.append_operation(Strange(PAYEE.public_key, USDC, "1"))
    response = town.apply(signed(te.add_time_bounds(0, 0).build(), BUYER))
    assert result_of(response) == "PAYMENT_MALFORMED"


class Strange(Payment):
    """A payment of an asset that no SDK would name."""

    def _to_operation_body(self) -> xdr.OperationBody:
        body = super()._to_operation_body()
        assert body.payment_op is not None
        assert body.payment_op.asset.alpha_num4 is not None
        body.payment_op.asset.alpha_num4.asset_code.asset_code4 = b"\xff\xfe\0\0"
        return body
