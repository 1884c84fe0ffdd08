"""The purchase contract: what it checks, in which order, what it pays and what it tells."""

import base64
import hashlib
from collections.abc import Callable

import pytest
from stellar_sdk import Address, ChangeTrust, Keypair, StrKey, scval, xdr

from billing.sandbox import network
from marketplace.domain import chains
from tests.billing.sandbox.quoting import Quote
from tests.billing.sandbox.town import (
    BUYER,
    PAYEE,
    SERVER,
    SIGNER,
    STRANGER,
    TREASURY,
    USDC,
    USDC_SAC,
    Town,
    code_of,
    person,
    signed,
    why,
)

UNITS_1000 = 10_000_000_000
DAY_S = 86_400


def error_of(town: Town, arguments: list[xdr.SCVal]) -> str:
    """`Error(…)` of a simulation, which must not have changed anything."""
    simulated = town.simulate(town.call(arguments))
    assert simulated.error is not None
    assert simulated.error.startswith("HostError: ")
    return simulated.error.removeprefix("HostError: ").split("\n", 1)[0]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"amount": 0, "fee": 0}, "Error(Contract, #2)"),
        ({"amount": -1, "fee": 0}, "Error(Contract, #2)"),
        ({"fee": -1}, "Error(Contract, #2)"),
        ({"fee": 2_500_001}, "Error(Contract, #3)"),
        ({"asset": StrKey.encode_contract(bytes([9]) * 32)}, "Error(Contract, #4)"),
        ({"payee": BUYER.public_key}, "Error(Contract, #10)"),
        ({"expires_at": 1}, "Error(Contract, #5)"),
    ],
)
def test_quote_that_breaks_a_rule_is_refused(
    town: Town, changes: dict[str, object], error: str
) -> None:
    assert error_of(town, town.purchase(town.quote(**changes))) == error


def test_quote_is_valid_to_its_last_second_and_not_one_longer(town: Town) -> None:
    now = int(town.now_s)
    last = town.simulate(town.call(town.purchase(town.quote(expires_at=now))))
    assert last.error is None
    assert error_of(town, town.purchase(town.quote(expires_at=now - 1))) == "Error(Contract, #5)"


def test_quote_may_live_one_day(town: Town) -> None:
    now = int(town.now_s)
    assert town.simulate(town.call(town.purchase(town.quote(expires_at=now + DAY_S)))).error is None
    longer = town.purchase(town.quote(expires_at=now + DAY_S + 1))
    assert error_of(town, longer) == "Error(Contract, #6)"


def test_fee_of_a_tenth_is_allowed(town: Town) -> None:
    assert town.simulate(town.call(town.purchase(town.quote(fee=2_500_000)))).error is None


def test_unregistered_signer_is_refused(town: Town) -> None:
    quote = town.quote()
    arguments = town.purchase(
        quote,
        signer=STRANGER.raw_public_key(),
        signature=STRANGER.sign(quote.digest(network.CONTRACT)),
    )
    assert error_of(town, arguments) == "Error(Contract, #7)"


def test_signature_of_another_key_traps(town: Town) -> None:
    quote = town.quote()
    arguments = town.purchase(quote, signature=STRANGER.sign(quote.digest(network.CONTRACT)))
    assert error_of(town, arguments) == "Error(Crypto, InvalidInput)"


@pytest.mark.parametrize("field", [*Quote.__slots__])
def test_signature_binds_every_field_of_the_quote(town: Town, field: str) -> None:
    signed = town.quote()
    others: dict[str, object] = {
        "access_seconds": 7200,
        "amount": 25_000_001,
        "asset": network.CHAIN.assets["EURC"].sac,
        "expires_at": signed.expires_at + 1,
        "fee": 250_001,
        "payee": TREASURY.public_key,
        "terms": bytes([1]) * 32,
        "treasury": PAYEE.public_key,
    }
    shown = town.quote(**{field: others[field]})
    arguments = town.purchase(shown, signature=SIGNER.sign(signed.digest(network.CONTRACT)))
    assert error_of(town, arguments) == "Error(Crypto, InvalidInput)"


def test_signature_binds_contract_and_network(town: Town) -> None:
    quote = town.quote()
    elsewhere = StrKey.encode_contract(bytes([3]) * 32)
    arguments = town.purchase(quote, signature=SIGNER.sign(quote.digest(elsewhere)))
    assert error_of(town, arguments) == "Error(Crypto, InvalidInput)"


def test_purchase_id_is_used_once_by_a_buyer(town: Town) -> None:
    assert code_of(town.buy(town.purchase())) == "txSUCCESS"
    another = town.purchase(town.quote(amount=10_000_000))
    assert error_of(town, another) == "Error(Contract, #8)"
    assert town.balance(BUYER) == UNITS_1000 - 25_000_000


def test_used_purchase_id_is_refused_by_the_ledger_too(town: Town) -> None:
    first, second = town.purchase(), town.purchase(town.quote(amount=10_000_000))
    entry = town.authorize(town.authorization(second))
    te = town.call(second, [entry])
    prepared = town.rpc.prepare_transaction(te)  # While the id was still free.
    assert code_of(town.buy(first)) == "txSUCCESS"
    prepared.transaction.sequence = town.sequence(SERVER) + 1
    response = town.apply(signed(prepared, SERVER))
    assert code_of(response) == "txFAILED"
    assert why(response) == "Error(Contract, #8)"
    assert town.balance(BUYER) == UNITS_1000 - 25_000_000


def test_purchase_id_seen_by_a_stranger_is_not_burnt(town: Town) -> None:
    """The key is (buyer, id): whoever copies an id from the wire only uses up its own."""
    town.fund(STRANGER, "USDC")
    stranger = town.purchase(buyer=STRANGER.public_key)
    entry = town.authorize(town.authorization(stranger), by=STRANGER)
    assert code_of(town.send_call(stranger, entry)) == "txSUCCESS"
    assert code_of(town.buy(town.purchase())) == "txSUCCESS"


def test_price_is_split_between_payee_and_treasury(town: Town) -> None:
    town.buy(town.purchase())
    assert town.balance(BUYER) == UNITS_1000 - 25_000_000
    assert town.balance(PAYEE) == UNITS_1000 + 24_750_000
    assert town.balance(TREASURY) == UNITS_1000 + 250_000


def test_no_fee_means_one_transfer(town: Town) -> None:
    response = town.buy(town.purchase(town.quote(fee=0)))
    assert response.events is not None
    assert response.events.contract_events_xdr is not None
    assert len(response.events.contract_events_xdr[0]) == 2  # transfer, purchased
    assert town.balance(TREASURY) == UNITS_1000


def test_event_tells_everything_that_evidence_compares(town: Town) -> None:
    quote = town.quote(terms=bytes([5]) * 32)
    response = town.buy(town.purchase(quote, access_key=bytes([6]) * 32))
    assert response.events is not None
    assert response.events.contract_events_xdr is not None
    event = xdr.ContractEvent.from_xdr(response.events.contract_events_xdr[0][-1])
    assert event.contract_id is not None
    assert StrKey.encode_contract(event.contract_id.contract_id.hash) == network.CONTRACT
    assert event.body.v0 is not None
    topics = [scval.to_native(topic) for topic in event.body.v0.topics]
    digest = quote.digest(network.CONTRACT)
    assert topics == ["purchased", Address(BUYER.public_key), Address(PAYEE.public_key), digest]
    assert scval.to_native(event.body.v0.data) == {
        "access_key": bytes([6]) * 32,
        "amount": 25_000_000,
        "asset": Address(USDC_SAC),
        "fee": 250_000,
        "purchase_id": bytes([7]) * 32,
        "terms": bytes([5]) * 32,
        "treasury": Address(TREASURY.public_key),
    }


def test_returns_the_digest(town: Town) -> None:
    quote = town.quote()
    simulated = town.simulate(town.call(town.purchase(quote)))
    assert simulated.results
    returned = scval.from_bytes(simulated.results[0].xdr)
    assert returned == quote.digest(network.CONTRACT)


def test_missing_trustline_of_the_payee_is_refused(town: Town) -> None:
    newcomer = person(40)
    town.fund(newcomer)
    simulated = town.simulate(town.call(town.purchase(town.quote(payee=newcomer.public_key))))
    assert simulated.error is not None
    assert simulated.error.startswith("HostError: Error(Contract, #13)")
    assert "trustline entry is missing for account" in simulated.error
    assert newcomer.public_key in simulated.error


def test_missing_trustline_of_the_buyer_is_refused(town: Town) -> None:
    simulated = town.simulate(town.call(town.purchase(buyer=STRANGER.public_key)))
    assert simulated.error is not None
    assert "trustline entry is missing for account" in simulated.error


def test_insufficient_balance_is_refused(town: Town) -> None:
    dear = town.purchase(town.quote(amount=UNITS_1000 + 1))
    simulated = town.simulate(town.call(dear))
    assert simulated.error is not None
    assert simulated.error.startswith("HostError: Error(Contract, #10)")
    assert "resulting balance is not within the allowed range" in simulated.error
    assert f"contract:{USDC_SAC}" in simulated.error


def test_payee_who_does_not_exist_is_refused(town: Town) -> None:
    nobody = person(41).public_key
    simulated = town.simulate(town.call(town.purchase(town.quote(payee=nobody))))
    assert simulated.error is not None
    assert "trustline entry is missing for account" in simulated.error


def spend(town: Town) -> None:
    town.apply(town.pay(BUYER, STRANGER, "999"))


def distrust(town: Town) -> None:
    town.apply(town.pay(PAYEE, network.ISSUERS["USDC"], "1000"))
    town.apply(town.classic(PAYEE, ChangeTrust(USDC, "0")))


def outlive(town: Town) -> None:
    town.close(seconds=601)


@pytest.mark.parametrize(
    ("happens", "error", "message"),
    [
        (spend, "Error(Contract, #10)", "resulting balance is not within the allowed range"),
        (distrust, "Error(Contract, #13)", "trustline entry is missing for account"),
        (outlive, "Error(Contract, #5)", "frame-exit to Err"),
    ],
)
def test_what_happens_after_simulation_is_refused_by_the_ledger(
    town: Town, happens: Callable[[Town], None], error: str, message: str
) -> None:
    town.fund(STRANGER, "USDC")
    arguments = town.purchase()
    te = town.call(arguments, [town.authorize(town.authorization(arguments))])
    te.transaction.preconditions = None
    prepared = town.rpc.prepare_transaction(te)
    happens(town)
    before = town.balance(BUYER), town.balance(TREASURY)
    response = town.apply(signed(prepared, SERVER))
    assert why(response) == error
    assert response.diagnostic_events_xdr
    assert message.encode() in base64.b64decode(response.diagnostic_events_xdr[0])
    assert (town.balance(BUYER), town.balance(TREASURY)) == before


def test_authorization_is_asked_before_the_quote_is_looked_at(town: Town) -> None:
    arguments = town.purchase(town.quote(amount=0, fee=0))
    stranger = town.authorize(town.authorization(town.purchase()), by=BUYER)
    simulated = town.simulate(town.call(arguments, [stranger]))
    assert simulated.error is not None
    assert "Error(Auth, InvalidAction)" in simulated.error


@pytest.mark.parametrize(
    ("changes"),
    [
        {"signer": b"short"},
        {"signature": bytes(63)},
        {"purchase_id": b""},
        {"access_key": bytes(33)},
    ],
)
def test_bytes_of_a_wrong_length_trap(town: Town, changes: dict[str, object]) -> None:
    assert error_of(town, town.purchase(**changes)) == "Error(WasmVm, InvalidAction)"


def test_quote_with_a_field_more_or_less_traps(town: Town) -> None:
    for change in (lambda fields: fields.pop(), lambda fields: fields.append(fields[0])):
        arguments = town.purchase()
        quote = arguments[1].map
        assert quote is not None
        change(quote.sc_map)
        assert error_of(town, arguments) == "Error(Object, UnexpectedSize)"


def test_missing_argument_traps(town: Town) -> None:
    assert error_of(town, town.purchase()[:-1]) == "Error(WasmVm, UnexpectedSize)"


def test_unknown_function_is_refused(town: Town) -> None:
    simulated = town.simulate(town.call([], function="withdraw"))
    assert simulated.error is not None
    assert simulated.error.startswith("HostError: Error(WasmVm, MissingValue)")


def test_digest_is_the_one_that_was_written_down() -> None:
    """Packed by hand from protocol.md §1, without an XDR library: the bytes must never change."""
    quote = Quote(
        access_seconds=3600,
        amount=2_500_000,
        asset=StrKey.encode_contract(bytes([4]) * 32),
        expires_at=1_800_000_000,
        fee=25_000,
        payee=Keypair.from_raw_ed25519_seed(bytes([3]) * 32).public_key,
        terms=hashlib.sha256(b"terms").digest(),
        treasury=Keypair.from_raw_ed25519_seed(bytes([2]) * 32).public_key,
    )
    digest = quote.digest(StrKey.encode_contract(bytes([1]) * 32))
    assert digest.hex() == "0a6c20ff12fabbed872ab784d0b7c95b65dbc0fc206fb55c8e239784d612b06a"


def test_constructor_cannot_be_called_again(town: Town) -> None:
    simulated = town.simulate(town.call([], function="__constructor"))
    assert simulated.error is not None
    assert simulated.error.startswith("HostError: Error(Context, InvalidAction)")


def test_contract_is_the_one_that_quotes_name() -> None:
    assert chains.sandbox().contract == network.CONTRACT
