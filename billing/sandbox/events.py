"""Events and transactions as a node keeps and tells them.

An event's id is its place in history: ledger, transaction, operation, index. Ids are of one width,
so their order as text is the order of history, and a cursor is simply the id to go on after.
"""

import base64
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from stellar_sdk import StrKey

from billing.sandbox.applying import Applied
from billing.sandbox.envelopes import Envelope
from billing.sandbox.host import Closing
from billing.sandbox.storage import Document, EventRow, Json

TRANSACTION_MAX = 0xFFFFF
OPERATION_MAX = 0xFFF
INDEX_MAX = 2**32 - 1


class Packable(Protocol):
    def to_xdr_bytes(self) -> bytes: ...


def b64(value: Packable) -> str:
    return base64.b64encode(value.to_xdr_bytes()).decode()


def event_id(ledger: int, transaction: int, operation: int, index: int) -> str:
    return f"{ledger << 32 | transaction << 12 | operation:019d}-{index:010d}"


def end_of_ledger(ledger: int) -> str:
    return event_id(ledger, TRANSACTION_MAX, OPERATION_MAX, INDEX_MAX)


def start_of_ledger(ledger: int) -> str:
    return event_id(ledger, 0, 0, 0)


def ledger_of(cursor: str) -> int:
    """Raises ValueError for anything that `event_id` does not make."""
    place, dash, index = cursor.partition("-")
    if not dash or len(place) != 19 or len(index) != 10 or not _is_number(place + index):
        raise ValueError("not a cursor")
    return int(place) >> 32


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()


@dataclass(frozen=True, slots=True)
class Filter:
    types: frozenset[str]
    contracts: frozenset[str]
    topics: tuple[tuple[str, ...], ...]

    def accepts(self, event: Document) -> bool:
        if self.types and event["type"] not in self.types:
            return False
        if self.contracts and event["contractId"] not in self.contracts:
            return False
        found = event["topic"]
        assert isinstance(found, list)
        return not self.topics or any(matches(wanted, found) for wanted in self.topics)


def matches(wanted: Sequence[str], found: Sequence[Json]) -> bool:
    """`*` is any one segment, a trailing `**` any number of further ones."""
    if wanted and wanted[-1] == "**":
        wanted = wanted[:-1]
        found = found[: len(wanted)]
    if len(wanted) != len(found):
        return False
    return all(one in ("*", other) for one, other in zip(wanted, found, strict=True))


def rows(
    envelope: Envelope, applied: Applied, closing: Closing, position: int
) -> Iterable[EventRow]:
    closed_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(closing.close_time))
    for operation, emitted in enumerate(applied.operation_events):
        for index, event in enumerate(emitted):
            assert event.contract_id is not None
            assert event.body.v0 is not None
            contract = StrKey.encode_contract(event.contract_id.contract_id.hash)
            identity = event_id(closing.sequence, position, operation, index)
            body: Document = {
                "type": "contract",
                "ledger": closing.sequence,
                "ledgerClosedAt": closed_at,
                "contractId": contract,
                "id": identity,
                "operationIndex": operation,
                "transactionIndex": position,
                "txHash": envelope.hash.hex(),
                "inSuccessfulContractCall": True,
                "topic": [b64(topic) for topic in event.body.v0.topics],
                "value": b64(event.body.v0.data),
            }
            yield EventRow(identity, contract, body)


def transaction_body(
    envelope: Envelope, applied: Applied, closing: Closing, position: int
) -> Document:
    """What getTransaction and getTransactions tell of a transaction in a ledger."""
    told: Document = {
        "transactionEventsXdr": [b64(event) for event in applied.transaction_events],
        "contractEventsXdr": [
            [b64(event) for event in emitted] for emitted in applied.operation_events
        ],
    }
    body: Document = {
        "status": "SUCCESS" if applied.succeeded else "FAILED",
        "txHash": envelope.hash.hex(),
        "applicationOrder": position,
        "feeBump": envelope.bump is not None,
        "envelopeXdr": base64.b64encode(envelope.raw).decode(),
        "resultXdr": b64(applied.result),
        "resultMetaXdr": b64(applied.meta),
        "events": told,
        "ledger": closing.sequence,
        "createdAt": closing.close_time,
    }
    if applied.diagnostics:
        body["diagnosticEventsXdr"] = [b64(event) for event in applied.diagnostics]
    return body
