"""Reading the contract's events in order, and looking for one payment among them.

A cursor is "<ledger << 32 | transaction << 12 | operation>-<event>". A page that is not full ends
at the end of the ledgers that were scanned, so everything up to its cursor has been told.
"""

from stellar_sdk import scval
from stellar_sdk.soroban_rpc import GetEventsResponse

from billing.domain.payments import Payment
from billing.rails.port import Height, Page, Unreadable
from billing.rails.stellar import events
from billing.rails.stellar.rpc import EVENTS_PER_PAGE, OutOfRange, Rpc

ANY_PURCHASE = (events.TOPIC, "**")
# A week of ledgers, ten thousand a call, and some pages that are full.
PAGES_MAX = 64


def page(rpc: Rpc, contract: str, cursor: str) -> Page:
    gap = False
    try:
        if cursor:
            answer = rpc.events(contract, ANY_PURCHASE, cursor=cursor)
        else:
            answer = rpc.events(contract, ANY_PURCHASE, start=rpc.oldest_ledger())
    except OutOfRange:
        gap = bool(cursor)
        answer = rpc.events(contract, ANY_PURCHASE, start=rpc.oldest_ledger())
    payments, unreadable = _read(answer, contract)
    return Page(
        payments=payments,
        unreadable=unreadable,
        cursor=answer.cursor,
        followed=_followed(answer),
        latest_ledger=answer.latest_ledger,
        gap=gap,
    )


def find(rpc: Rpc, contract: str, digest: str) -> tuple[Payment, ...]:
    topics = (events.TOPIC, "*", "*", scval.to_bytes(bytes.fromhex(digest)).to_xdr())
    found: list[Payment] = []
    answer = rpc.events(contract, topics, start=rpc.oldest_ledger())
    for _ in range(PAGES_MAX):
        found.extend(_read(answer, contract)[0])
        if _ledger(answer.cursor) >= answer.latest_ledger:
            break
        answer = rpc.events(contract, topics, cursor=answer.cursor)
    return tuple(found)


def _read(
    answer: GetEventsResponse, contract: str
) -> tuple[tuple[Payment, ...], tuple[Unreadable, ...]]:
    payments, unreadable = [], []
    for event in answer.events:
        try:
            payments.append(events.of_event(event, contract=contract))
        except events.NotAPurchase as exc:
            unreadable.append(Unreadable(event.transaction_hash, event.ledger, str(exc)))
    return tuple(payments), tuple(unreadable)


def _followed(answer: GetEventsResponse) -> Height:
    """The last ledger of which every event has been told."""
    full = len(answer.events) >= EVENTS_PER_PAGE
    ledger = min(_ledger(answer.cursor) - full, answer.latest_ledger)
    current = ledger == answer.latest_ledger
    closed_at_s = answer.latest_Ledger_close_time if current else 0
    return Height(ledger, closed_at_s, answer.oldest_ledger)


def _ledger(cursor: str) -> int:
    return int(cursor.partition("-")[0]) >> 32
