"""Fees, refunds, footprints and what the ledger tells of a transaction."""

from stellar_sdk import scval, xdr

from tests.billing.sandbox.town import (
    BUYER,
    SERVER,
    Town,
    code_of,
    signed,
    why,
)


def fee_events(raw: list[str]) -> list[int]:
    bodies = [xdr.TransactionEvent.from_xdr(one).event.body.v0 for one in raw]
    return [scval.from_int128(body.data) for body in bodies if body is not None]


def test_fee_charged_is_what_the_fee_events_add_up_to(town: Town) -> None:
    before = town.lumens(SERVER)
    response = town.buy(town.purchase())
    charged = xdr.TransactionResult.from_xdr(str(response.result_xdr)).fee_charged.int64
    assert response.events is not None
    assert sum(fee_events(response.events.transaction_events_xdr or [])) == charged
    assert town.lumens(SERVER) == before - charged


def test_resources_declared_but_not_needed_are_refunded(town: Town) -> None:
    arguments = town.purchase()
    te = town.rpc.prepare_transaction(
        town.call(arguments, [town.authorize(town.authorization(arguments))])
    )
    data = te.transaction.soroban_data
    assert data is not None
    price = data.resource_fee.int64
    data.resource_fee.int64 += 50_000
    te.transaction.fee += 50_000
    before = town.lumens(SERVER)
    response = town.apply(signed(te, SERVER))
    assert town.lumens(SERVER) == before - price - 100
    assert response.events is not None
    assert fee_events(response.events.transaction_events_xdr or []) == [price + 50_100, -50_000]


def test_failed_call_costs_its_fee_and_its_sequence(town: Town) -> None:
    arguments = town.purchase()
    good = town.authorize(town.authorization(arguments))
    bad = town.authorize(town.authorization(arguments), by=SERVER)
    before, sequence = town.lumens(SERVER), town.sequence(SERVER)
    assert code_of(town.send_call(arguments, bad, like=good)) == "txFAILED"
    assert town.lumens(SERVER) < before
    assert town.sequence(SERVER) == sequence + 1


def test_entry_outside_the_declared_footprint_cannot_be_touched(town: Town) -> None:
    """The nonce that was simulated is the one that can be spent."""
    arguments = town.purchase()
    one = town.authorize(town.authorization(arguments))
    other = town.authorize(town.authorization(arguments))
    response = town.send_call(arguments, other, like=one)
    assert code_of(response) == "txFAILED"
    assert why(response) == "Error(Storage, ExceededLimit)"


def test_entry_declared_read_only_cannot_be_written(town: Town) -> None:
    arguments = town.purchase()
    te = town.rpc.prepare_transaction(
        town.call(arguments, [town.authorize(town.authorization(arguments))])
    )
    data = te.transaction.soroban_data
    assert data is not None
    footprint = data.resources.footprint
    footprint.read_only += footprint.read_write
    footprint.read_write = []
    response = town.apply(signed(te, SERVER))
    assert why(response) == "Error(Storage, ExceededLimit)"


def test_meta_tells_the_return_value_and_every_change(town: Town) -> None:
    quote = town.quote()
    response = town.buy(town.purchase(quote))
    meta = xdr.TransactionMeta.from_xdr(str(response.result_meta_xdr)).v4
    assert meta is not None
    assert meta.soroban_meta is not None
    assert meta.soroban_meta.return_value is not None
    assert len(scval.from_bytes(meta.soroban_meta.return_value)) == 32
    kinds = [
        change.type.name.removeprefix("LEDGER_ENTRY_")
        for change in meta.operations[0].changes.ledger_entry_changes
    ]
    # Three trustlines move; the nonce and the used purchase id are new.
    assert kinds.count("STATE") == kinds.count("UPDATED") == 3
    assert kinds.count("CREATED") == 2


def test_failure_tells_its_error_as_a_diagnostic_event(town: Town) -> None:
    arguments = town.purchase()
    good = town.authorize(town.authorization(arguments))
    bad = town.authorize(town.authorization(arguments), by=BUYER, for_ledgers=0)
    response = town.send_call(arguments, bad, like=good)
    assert response.diagnostic_events_xdr
    event = xdr.DiagnosticEvent.from_xdr(response.diagnostic_events_xdr[0])
    assert event.in_successful_contract_call is False
    assert event.event.body.v0 is not None
    assert scval.from_symbol(event.event.body.v0.topics[0]) == "error"
