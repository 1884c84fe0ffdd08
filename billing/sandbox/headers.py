"""Ledger headers, chained by hash, and the close meta that nodes give out with them."""

import hashlib
from collections.abc import Sequence

from stellar_sdk import xdr

from billing.sandbox import network

NO_HASH = xdr.Hash(bytes(32))
TX_SET_MAX = 100


def header(
    *, sequence: int, closed_at: int, previous: bytes, tx_set: bytes, tx_results: bytes
) -> xdr.LedgerHeader:
    value = xdr.StellarValue(
        xdr.Hash(hashlib.sha256(tx_set).digest()),
        xdr.TimePoint(xdr.Uint64(closed_at)),
        [],
        xdr.StellarValueExt(xdr.StellarValueType.STELLAR_VALUE_BASIC),
    )
    return xdr.LedgerHeader(
        xdr.Uint32(network.PROTOCOL),
        xdr.Hash(previous),
        value,
        xdr.Hash(hashlib.sha256(tx_results).digest()),
        NO_HASH,
        xdr.Uint32(sequence),
        xdr.Int64(network.TOTAL_STROOPS),
        xdr.Int64(0),
        xdr.Uint32(0),
        xdr.Uint64(0),
        xdr.Uint32(network.BASE_FEE_STROOPS),
        xdr.Uint32(network.BASE_RESERVE_STROOPS),
        xdr.Uint32(TX_SET_MAX),
        [NO_HASH] * 4,
        xdr.LedgerHeaderExt(0),
    )


def history_entry(digest: bytes, raw_header: bytes) -> xdr.LedgerHeaderHistoryEntry:
    return xdr.LedgerHeaderHistoryEntry(
        xdr.Hash(digest),
        xdr.LedgerHeader.from_xdr_bytes(raw_header),
        xdr.LedgerHeaderHistoryEntryExt(0),
    )


def transaction_set(
    previous: bytes, envelopes: Sequence[xdr.TransactionEnvelope]
) -> xdr.GeneralizedTransactionSet:
    component = xdr.TxSetComponent(
        xdr.TxSetComponentType.TXSET_COMP_TXS_MAYBE_DISCOUNTED_FEE,
        txs_maybe_discounted_fee=xdr.TxSetComponentTxsMaybeDiscountedFee(None, list(envelopes)),
    )
    phase = xdr.TransactionPhase(0, v0_components=[component] if envelopes else [])
    return xdr.GeneralizedTransactionSet(1, xdr.TransactionSetV1(xdr.Hash(previous), [phase]))


def processing(
    digest: bytes, result: xdr.TransactionResult, meta: xdr.TransactionMeta
) -> xdr.TransactionResultMetaV1:
    nothing = xdr.LedgerEntryChanges([])
    pair = xdr.TransactionResultPair(xdr.Hash(digest), result)
    return xdr.TransactionResultMetaV1(xdr.ExtensionPoint(0), pair, nothing, meta, nothing)


def close_meta(
    entry: xdr.LedgerHeaderHistoryEntry,
    transactions: xdr.GeneralizedTransactionSet,
    processed: Sequence[xdr.TransactionResultMetaV1],
) -> xdr.LedgerCloseMeta:
    meta = xdr.LedgerCloseMetaV2(
        xdr.LedgerCloseMetaExt(0),
        entry,
        transactions,
        list(processed),
        [],
        [],
        xdr.Uint64(0),
        [],
    )
    return xdr.LedgerCloseMeta(2, v2=meta)
