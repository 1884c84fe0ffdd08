"""A plain transfer that its payer signs: built here, and looked for on chain."""

from collections.abc import Sequence

from stellar_sdk import Account, StrKey, TransactionBuilder, scval, xdr
from stellar_sdk.soroban_rpc import GetTransactionStatus

from billing.domain.errors import NetworkUnavailable, RefundRefused
from billing.domain.refunds import Transfer
from billing.rails.port import Absent, Height, Prepared, TransferFailed, Transferred
from billing.rails.stellar import envelopes, holdings, results
from billing.rails.stellar.envelopes import Link
from billing.rails.stellar.rpc import Rpc, account_key
from marketplace.domain.chains import Chain

NAME = scval.to_symbol("transfer").to_xdr()
Fate = Transferred | TransferFailed | Absent


def prepare(
    rpc: Rpc, chain: Chain, transfer: Transfer, *, fee: int, said: Link, last_moment_s: int
) -> Prepared:
    entries = rpc.entries([account_key(transfer.payer)])
    sequence = holdings.sequence_of(transfer.payer, entries)
    if sequence is None:
        raise RefundRefused(f"{transfer.payer} does not exist on this network any more.")
    builder = TransactionBuilder(Account(transfer.payer, sequence), chain.passphrase, base_fee=fee)
    builder.append_invoke_contract_function_op(
        transfer.asset,
        "transfer",
        [
            scval.to_address(transfer.payer),
            scval.to_address(transfer.receiver),
            scval.to_int128(transfer.amount),
        ],
    )
    builder.add_time_bounds(0, last_moment_s)
    draft = builder.build()
    simulated = rpc.simulate(draft, enforce=False)
    if simulated.error is not None:
        refused = results.refused_call(
            simulated.error, simulated.events or [], contract="", asset=transfer.asset
        )
        raise RefundRefused(f"The transfer would fail: {refused.detail}")
    ready = rpc.assembled(draft, simulated)
    body = ready.to_xdr()
    link = envelopes.link(body, chain, said)
    return Prepared(ready.hash_hex(), body, link, simulated.latest_ledger)


def fate(rpc: Rpc, tx_hash: str, transfer: Transfer) -> Fate:
    answer = rpc.transaction(tx_hash)
    seen = Height(answer.latest_ledger, answer.latest_ledger_close_time, answer.oldest_ledger)
    if answer.status is GetTransactionStatus.NOT_FOUND:
        return Absent(seen)
    if answer.ledger is None or answer.result_xdr is None:
        raise NetworkUnavailable("The network's node told half of a transaction.")
    if answer.status is GetTransactionStatus.FAILED:
        refused = results.failed_transaction(
            answer.result_xdr,
            answer.diagnostic_events_xdr or [],
            contract="",
            asset=transfer.asset,
        )
        return TransferFailed(answer.ledger, refused.detail)
    told = answer.events.contract_events_xdr if answer.events is not None else None
    if not _tells(told or [], transfer):
        return TransferFailed(answer.ledger, "The transaction moved something else.")
    return Transferred(answer.ledger)


def _tells(events: Sequence[Sequence[str]], transfer: Transfer) -> bool:
    return any(_is(xdr.ContractEvent.from_xdr(each), transfer) for op in events for each in op)


def _is(event: xdr.ContractEvent, transfer: Transfer) -> bool:
    """The asset contract's own event (SEP-41, CAP-67): transfer, from, to, and maybe a name."""
    body = event.body.v0
    if body is None or event.contract_id is None or len(body.topics) < 3:
        return False
    contract = StrKey.encode_contract(event.contract_id.contract_id.hash)
    if contract != transfer.asset or body.topics[0].to_xdr() != NAME:
        return False
    payer, receiver = (scval.from_address(topic).address for topic in body.topics[1:3])
    moved = (payer, receiver, _amount(body.data))
    return moved == (transfer.payer, transfer.receiver, transfer.amount)


def _amount(data: xdr.SCVal) -> int:
    """Beside the amount there is a map when the receiver is a muxed account."""
    if data.i128 is not None:
        return scval.from_int128(data)
    return scval.from_int128(scval.from_struct(data)["amount"])
