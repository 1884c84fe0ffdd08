"""What the node tells of the past: ledgers, transactions, events, page by page."""

import base64
import string
from itertools import islice

from stellar_sdk import StrKey, xdr

from billing.sandbox import events, headers, network
from billing.sandbox.events import Filter, b64
from billing.sandbox.jsonrpc import INVALID_REQUEST, Params, RpcError, bad_params
from billing.sandbox.past import Seen
from billing.sandbox.storage import Document, Json, LedgerRow

HASH_HEX = 64
EVENT_TYPES = {"contract", "system", "diagnostic"}
FILTERS_MAX = 5
TOPIC_SEGMENTS_MAX = 4
EVENTS_LIMIT_MAX = 10_000
EVENTS_SCAN_LEDGERS = 10_000
CURSOR_DIGITS_MAX = 18  # So that it fits SQLite's integers.
PAGE_DEFAULT = 100
PAGE_MAX = 200


class History:
    def __init__(self, node: Seen) -> None:
        self.node = node

    def _window(self) -> Document:
        """Where history begins and ends, as most answers tell it."""
        latest, oldest = self.node.latest, self.node.storage.oldest()
        return {
            "latestLedger": latest.sequence,
            "latestLedgerCloseTime": str(latest.closed_at),
            "oldestLedger": self.node.oldest,
            "oldestLedgerCloseTime": str(oldest.closed_at),
        }

    def get_latest_ledger(self, _params: Params) -> Document:
        latest = self.node.latest
        told = self._ledger(latest)
        return {
            "id": latest.hash.hex(),
            "protocolVersion": network.PROTOCOL,
            "sequence": latest.sequence,
            "closeTime": str(latest.closed_at),
            "headerXdr": base64.b64encode(latest.header).decode(),
            "metadataXdr": told["metadataXdr"],
        }

    def get_ledgers(self, params: Params) -> Document:
        limit, cursor = _page(params)
        first = self._start(params) if cursor is None else _number(cursor) + 1
        ledgers = self.node.storage.ledgers(first=first, limit=limit)
        told: list[Json] = [self._ledger(ledger) for ledger in ledgers]
        last = ledgers[-1].sequence if ledgers else first - 1
        window = self._window()
        window["latestLedgerCloseTime"] = self.node.latest.closed_at
        window["oldestLedgerCloseTime"] = self.node.storage.oldest().closed_at
        return window | {"ledgers": told, "cursor": str(last)}

    def get_transaction(self, params: Params) -> Document:
        text = params.needed_text("hash")
        if len(text) != HASH_HEX:
            bad_params(f"unexpected hash length ({len(text)})")
        if not set(text) <= set(string.hexdigits):
            bad_params("incorrect hash: it must be hex")
        found = self.node.storage.applied(bytes.fromhex(text))
        if found is None:
            absent: Document = {"status": "NOT_FOUND", "applicationOrder": 0, "feeBump": False}
            found = absent | {"ledger": 0, "createdAt": 0, "events": {}}
        told = self._window() | found
        return told | {"txHash": text.lower(), "createdAt": str(found["createdAt"])}

    def get_transactions(self, params: Params) -> Document:
        limit, cursor = _page(params)
        if cursor is None:
            ledger, position = self._start(params), 0
        else:
            number = _number(cursor)
            ledger, position = number >> 32, (number >> 12) & events.TRANSACTION_MAX
        found = self.node.storage.applied_after(ledger, position, limit)
        told: list[Json] = list(found)
        if found:
            ledger, position = _place(found[-1])
        window = self._window()
        return {
            "transactions": told,
            "latestLedger": window["latestLedger"],
            "latestLedgerCloseTimestamp": self.node.latest.closed_at,
            "oldestLedger": window["oldestLedger"],
            "oldestLedgerCloseTimestamp": self.node.storage.oldest().closed_at,
            "cursor": str(ledger << 32 | position << 12),
        }

    def get_events(self, params: Params) -> Document:
        filters = [_filter(given) for given in params.objects("filters", FILTERS_MAX)]
        limit, cursor = _page(params, most=EVENTS_LIMIT_MAX)
        after, first = self._events_start(params, cursor)
        end = min(first + EVENTS_SCAN_LEDGERS, self.node.latest.sequence + 1)
        given_end = params.number("endLedger")
        if given_end is not None:
            if given_end <= first:
                bad_params("endLedger must be after startLedger")
            end = min(end, given_end)
        contracts = _contracts(filters)
        scanned = self.node.storage.events_between(after, end, contracts)
        accepted = (
            event for event in scanned if not filters or any(one.accepts(event) for one in filters)
        )
        found = list(islice(accepted, limit))
        told: list[Json] = list(found)
        full = len(found) == limit
        position = str(found[-1]["id"]) if full else max(after, events.end_of_ledger(end - 1))
        return self._window() | {"events": told, "cursor": position}

    def _events_start(self, params: Params, cursor: str | None) -> tuple[str, int]:
        """(the id to go on after, the first ledger to look at)"""
        if cursor is None:
            first = self._start(params)
            # Ids of a ledger are greater than its start: transactions count from one.
            return events.start_of_ledger(first), first
        if params.number("endLedger") is not None:
            bad_params("ledger ranges and cursor cannot both be set")
        try:
            first = events.ledger_of(cursor)
        except ValueError:
            bad_params("invalid cursor")
        if first < self.node.oldest:
            raise self._out_of_range("cursor")
        return cursor, first

    def _start(self, params: Params) -> int:
        start = params.number("startLedger") or 0
        if start < 1:
            bad_params("startLedger must be positive")
        if not self.node.oldest <= start <= self.node.latest.sequence:
            raise self._out_of_range("startLedger")
        return start

    def _out_of_range(self, what: str) -> RpcError:
        oldest, latest = self.node.oldest, self.node.latest.sequence
        return RpcError(
            INVALID_REQUEST, f"{what} must be within the ledger range: {oldest} - {latest}"
        )

    def _ledger(self, ledger: LedgerRow) -> Document:
        entry = headers.history_entry(ledger.hash, ledger.header)
        envelopes, processed = [], []
        for body in self.node.storage.applied_in(ledger.sequence):
            digest = bytes.fromhex(str(body["txHash"]))
            result = xdr.TransactionResult.from_xdr(str(body["resultXdr"]))
            meta = xdr.TransactionMeta.from_xdr(str(body["resultMetaXdr"]))
            processed.append(headers.processing(digest, result, meta))
            envelopes.append(xdr.TransactionEnvelope.from_xdr(str(body["envelopeXdr"])))
        previous = entry.header.previous_ledger_hash.hash
        transactions = headers.transaction_set(previous, envelopes)
        closed = headers.close_meta(entry, transactions, processed)
        return {
            "hash": ledger.hash.hex(),
            "sequence": ledger.sequence,
            "ledgerCloseTime": str(ledger.closed_at),
            "headerXdr": b64(entry),
            "metadataXdr": b64(closed),
        }


def _place(body: Document) -> tuple[int, int]:
    ledger, position = body["ledger"], body["applicationOrder"]
    assert isinstance(ledger, int)
    assert isinstance(position, int)
    return ledger, position


def _number(cursor: str) -> int:
    """Of a cursor that is a place in history and nothing else."""
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) <= CURSOR_DIGITS_MAX):
        bad_params("invalid cursor")
    return int(cursor)


def _page(params: Params, *, most: int = PAGE_MAX) -> tuple[int, str | None]:
    pagination = params.object("pagination")
    limit = pagination.number("limit")
    if limit is None:
        limit = PAGE_DEFAULT
    if not 1 <= limit <= most:
        bad_params(f"limit must be between 1 and {most}")
    cursor = pagination.text("cursor") or None
    if cursor is not None and params.number("startLedger"):
        bad_params("ledger ranges and cursor cannot both be set")
    return limit, cursor


def _filter(given: Params) -> Filter:
    types = frozenset((given.text("type") or "").split(",")) - {""}
    if not types <= EVENT_TYPES:
        bad_params("filter type invalid: it must be system, contract or diagnostic")
    contracts = given.texts("contractIds", FILTERS_MAX)
    if not all(StrKey.is_valid_contract(contract) for contract in contracts):
        bad_params("contract ID invalid")
    topics = given.text_lists("topics", FILTERS_MAX)
    for topic in topics:
        segments = topic[:-1] if topic and topic[-1] == "**" else topic
        if not topic or len(segments) > TOPIC_SEGMENTS_MAX or "**" in segments:
            bad_params("topic must have one to four segments, ** only at its end")
    return Filter(types, frozenset(contracts), tuple(tuple(topic) for topic in topics))


def _contracts(filters: list[Filter]) -> list[str]:
    """Those that any event can come from, to spare reading others; none when it may be all."""
    if not filters or not all(one.contracts for one in filters):
        return []
    return sorted(set().union(*(one.contracts for one in filters)))
