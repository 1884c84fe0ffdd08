"""What may enter a ledger, and stellar-core's code for what may not."""

from collections.abc import Callable

import pytest
from stellar_sdk import (
    Account,
    Asset,
    BumpSequence,
    CreateAccount,
    Network,
    Payment,
    SorobanDataBuilder,
    TransactionBuilder,
    scval,
)

from billing.sandbox import network
from billing.sandbox.envelopes import Envelope
from billing.sandbox.node import Status
from tests.billing.sandbox.town import (
    BUYER,
    PAYEE,
    SERVER,
    STRANGER,
    USDC,
    USDC_SAC,
    Town,
    code_of,
    person,
    signed,
)

XLM = Asset.native()


def builder(
    town: Town, *, fee: int = 100, ahead: int = 0, passphrase: str = ""
) -> TransactionBuilder:
    account = Account(STRANGER.public_key, town.sequence(STRANGER) + ahead)
    pay = Payment(SERVER.public_key, XLM, "1")
    made = TransactionBuilder(account, passphrase or network.PASSPHRASE, fee)
    return made.append_operation(pay).add_time_bounds(0, 0)


def refusal(town: Town, envelope: Envelope) -> str:
    """The code that sendTransaction answers; the sender must be left as it was."""
    before = town.sequence(STRANGER), town.lumens(STRANGER)
    submitted = town.submit(envelope)
    assert submitted.status == Status.ERROR
    assert submitted.result is not None
    town.close()
    assert (town.sequence(STRANGER), town.lumens(STRANGER)) == before
    result = submitted.result.result
    if result.results:
        return f"{result.code.name} {result.results[0].code.name}"
    return result.code.name


def too_late(town: Town) -> Envelope:
    made = builder(town)
    made.time_bounds = None
    return signed(made.add_time_bounds(0, int(town.now_s) - 1).build(), STRANGER)


def too_early(town: Town) -> Envelope:
    made = builder(town)
    made.time_bounds = None
    return signed(made.add_time_bounds(int(town.now_s) + 60, 0).build(), STRANGER)


def ledger_passed(town: Town) -> Envelope:
    made = builder(town).set_ledger_bounds(0, town.node.latest.sequence + 1)
    return signed(made.build(), STRANGER)


def nobody(town: Town) -> Envelope:
    return town.classic(person(50), Payment(SERVER.public_key, XLM, "1"), sequence=1)


def poor(town: Town) -> Envelope:
    pauper = person(52)
    town.apply(town.classic(STRANGER, CreateAccount(pauper.public_key, "1")))
    return town.classic(pauper, Payment(SERVER.public_key, XLM, "0.1"))


def no_operation(town: Town) -> Envelope:
    made = TransactionBuilder(
        Account(STRANGER.public_key, town.sequence(STRANGER)), network.PASSPHRASE, 100
    )
    made.append_operation(Payment(SERVER.public_key, XLM, "1"))
    te = made.add_time_bounds(0, 0).build()
    te.transaction.operations.clear()
    return signed(te, STRANGER)


def others_money(town: Town) -> Envelope:
    made = builder(town).append_operation(
        Payment(STRANGER.public_key, USDC, "1", source=BUYER.public_key)
    )
    return signed(made.build(), STRANGER)


def newcomers_name(town: Town) -> Envelope:
    newcomer = person(51).public_key
    made = builder(town).append_operation(CreateAccount(newcomer, "10"))
    made.append_operation(Payment(STRANGER.public_key, XLM, "1", source=newcomer))
    return signed(made.build(), STRANGER)


def unsupported(town: Town) -> Envelope:
    return signed(builder(town).append_operation(BumpSequence(1)).build(), STRANGER)


def data_without_call(town: Town) -> Envelope:
    made = builder(town, fee=10**6).set_soroban_data(SorobanDataBuilder().build())
    return signed(made.build(), STRANGER)


@pytest.mark.parametrize(
    ("envelope", "code"),
    [
        (lambda town: signed(builder(town, ahead=1).build(), STRANGER), "txBAD_SEQ"),
        (lambda town: signed(builder(town, ahead=-1).build(), STRANGER), "txBAD_SEQ"),
        (lambda town: signed(builder(town).build(), BUYER), "txBAD_AUTH"),
        (lambda town: signed(builder(town).build()), "txBAD_AUTH"),
        (
            lambda town: signed(
                builder(town, passphrase=Network.PUBLIC_NETWORK_PASSPHRASE).build(), STRANGER
            ),
            "txBAD_AUTH",
        ),
        (lambda town: signed(builder(town).build(), STRANGER, BUYER), "txBAD_AUTH_EXTRA"),
        (lambda town: signed(builder(town, fee=99).build(), STRANGER), "txINSUFFICIENT_FEE"),
        (too_late, "txTOO_LATE"),
        (too_early, "txTOO_EARLY"),
        (ledger_passed, "txTOO_LATE"),
        (nobody, "txNO_ACCOUNT"),
        (poor, "txINSUFFICIENT_BALANCE"),
        (no_operation, "txMISSING_OPERATION"),
        (others_money, "txFAILED opBAD_AUTH"),
        (newcomers_name, "txFAILED opBAD_AUTH"),
        (unsupported, "txFAILED opNOT_SUPPORTED"),
        (data_without_call, "txSOROBAN_INVALID"),
    ],
)
def test_invalid_transaction_gets_the_networks_code(
    town: Town, envelope: Callable[[Town], Envelope], code: str
) -> None:
    assert refusal(town, envelope(town)) == code


def test_insufficient_fee_tells_what_is_required(town: Town) -> None:
    submitted = town.submit(signed(builder(town, fee=99).build(), STRANGER))
    assert submitted.result is not None
    assert submitted.result.fee_charged.int64 == 100


def test_last_second_of_the_time_bounds_is_in_time(town: Town) -> None:
    made = builder(town)
    made.time_bounds = None
    envelope = signed(made.add_time_bounds(0, int(town.now_s) + 1).build(), STRANGER)
    assert code_of(town.apply(envelope)) == "txSUCCESS"


def test_transaction_that_expires_while_it_waits_stays_out(town: Town) -> None:
    made = builder(town)
    made.time_bounds = None
    envelope = signed(made.add_time_bounds(0, int(town.now_s) + 1).build(), STRANGER)
    before = town.lumens(STRANGER), town.sequence(STRANGER)
    assert town.submit(envelope).status == Status.PENDING
    town.close(seconds=2)
    assert town.rpc.get_transaction(envelope.hash.hex()).status.value == "NOT_FOUND"
    assert (town.lumens(STRANGER), town.sequence(STRANGER)) == before


def test_everybody_whose_money_moves_may_sign_together(town: Town) -> None:
    made = builder(town).append_operation(
        Payment(STRANGER.public_key, XLM, "1", source=BUYER.public_key)
    )
    assert code_of(town.apply(signed(made.build(), STRANGER, BUYER))) == "txSUCCESS"


def call(town: Town) -> TransactionBuilder:
    account = Account(STRANGER.public_key, town.sequence(STRANGER))
    made = TransactionBuilder(account, network.PASSPHRASE, 10**6)
    balance = [scval.to_address(PAYEE.public_key)]
    return made.append_invoke_contract_function_op(USDC_SAC, "balance", balance).add_time_bounds(
        0, 0
    )


def test_contract_call_without_resources_is_refused(town: Town) -> None:
    assert refusal(town, signed(call(town).build(), STRANGER)) == "txSOROBAN_INVALID"


def test_contract_call_that_pays_too_little_for_its_resources_is_refused(town: Town) -> None:
    te = town.rpc.prepare_transaction(call(town).build())
    data = te.transaction.soroban_data
    assert data is not None
    data.resource_fee.int64 -= 1
    assert refusal(town, signed(te, STRANGER)) == "txSOROBAN_INVALID"


def test_contract_call_pays_inclusion_beside_its_resources(town: Town) -> None:
    te = town.rpc.prepare_transaction(call(town).build())
    assert te.transaction.soroban_data is not None
    te.transaction.fee = te.transaction.soroban_data.resource_fee.int64 + 99
    assert refusal(town, signed(te, STRANGER)) == "txINSUFFICIENT_FEE"


def test_contract_call_with_a_memo_is_refused(town: Town) -> None:
    te = town.rpc.prepare_transaction(call(town).build())
    with_memo = call(town).add_text_memo("hello").build()
    te.transaction.memo = with_memo.transaction.memo
    assert refusal(town, signed(te, STRANGER)) == "txSOROBAN_INVALID"


def bump(town: Town, *, base_fee: int = 200, by: bool = True) -> Envelope:
    inner = builder(town).build()
    inner.sign(STRANGER)
    outer = TransactionBuilder.build_fee_bump_transaction(
        SERVER.public_key, base_fee, inner, network.PASSPHRASE
    )
    return signed(outer, *([SERVER] if by else []))  # type: ignore[arg-type]


def test_fee_bump_is_paid_by_its_source(town: Town) -> None:
    before = town.lumens(SERVER), town.lumens(STRANGER)
    envelope = bump(town)
    response = town.apply(envelope)
    assert code_of(response) == "txFEE_BUMP_INNER_SUCCESS"
    assert town.lumens(SERVER) == before[0] - 200 + 10_000_000
    assert town.lumens(STRANGER) == before[1] - 10_000_000
    inner = town.rpc.get_transaction(envelope.inner_hash.hex())
    assert inner.status == response.status
    assert response.fee_bump is True


def test_fee_bump_that_its_source_did_not_sign_is_refused(town: Town) -> None:
    assert refusal(town, bump(town, by=False)) == "txBAD_AUTH"


def test_fee_bump_tells_the_inner_refusal(town: Town) -> None:
    envelope = bump(town)
    assert code_of(town.apply(envelope)) == "txFEE_BUMP_INNER_SUCCESS"
    submitted = town.submit(envelope)
    assert submitted.result is not None
    assert submitted.result.result.code.name == "txFEE_BUMP_INNER_FAILED"
    pair = submitted.result.result.inner_result_pair
    assert pair is not None
    assert pair.result.result.code.name == "txBAD_SEQ"
