"""Ids, cursors and filters: reading page by page gives everything once and in order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stellar_sdk import scval
from stellar_sdk.exceptions import SorobanRpcErrorResponse
from stellar_sdk.soroban_rpc import EventFilter, EventFilterType, EventInfo

from billing.sandbox import events, network
from tests.billing.sandbox.town import BUYER, PAYEE, TREASURY, USDC_SAC, Town

PURCHASED = scval.to_symbol("purchased").to_xdr()


def test_id_is_the_place_in_history_in_the_networks_form() -> None:
    assert events.event_id(2, 1, 0, 0) == "0000000008589938688-0000000000"
    assert events.end_of_ledger(2) == "0000000012884901887-4294967295"


places = st.tuples(
    st.integers(1, 2**31 - 1),
    st.integers(0, events.TRANSACTION_MAX),
    st.integers(0, events.OPERATION_MAX),
    st.integers(0, events.INDEX_MAX),
)


@given(places, places)
def test_ids_sort_as_history_does(one: tuple[int, int, int, int], other: tuple[int, ...]) -> None:
    first, second = events.event_id(*one), events.event_id(*other)
    assert (first < second) == (one < other)
    assert events.ledger_of(first) == one[0]


@given(st.text(alphabet="0123456789-x٣", max_size=40))
def test_text_that_is_no_cursor_is_refused(text: str) -> None:
    if len(text) == 30 and text.isascii() and text[19] == "-" and text.count("-") == 1:
        return
    with pytest.raises(ValueError, match="not a cursor"):
        events.ledger_of(text)


@pytest.mark.parametrize(
    ("wanted", "found", "accepted"),
    [
        (["a", "b"], ["a", "b"], True),
        (["a"], ["a", "b"], False),
        (["a", "b"], ["a"], False),
        (["*", "b"], ["a", "b"], True),
        (["*"], ["a", "b"], False),
        (["a", "**"], ["a", "b", "c"], True),
        (["a", "**"], ["a"], True),
        (["a", "b", "**"], ["a"], False),
        (["**"], [], True),
        (["b", "**"], ["a", "b"], False),
    ],
)
def test_topics_match_by_segment(wanted: list[str], found: list[str], accepted: bool) -> None:
    assert events.matches(wanted, list(found)) is accepted


def read_all(town: Town, limit: int, filters: list[EventFilter] | None = None) -> list[EventInfo]:
    """Follow the cursor until a page brings nothing new."""
    page = town.rpc.get_events(start_ledger=2, filters=filters, limit=limit)
    found = list(page.events)
    while page.events:
        page = town.rpc.get_events(cursor=page.cursor, filters=filters, limit=limit)
        found += page.events
    return found


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 100])
def test_pages_of_any_size_give_everything_once_and_in_order(town: Town, limit: int) -> None:
    for number in range(3):
        town.buy(town.purchase(purchase_id=bytes([number]) * 32))
    town.close()
    whole = [event.id for event in town.rpc.get_events(start_ledger=2, limit=10_000).events]
    assert len(whole) > 9
    assert whole == sorted(set(whole))
    assert [event.id for event in read_all(town, limit)] == whole


def test_cursor_at_the_end_goes_on_with_the_next_ledger(town: Town) -> None:
    ours = [EventFilter(contract_ids=[network.CONTRACT])]
    page = town.rpc.get_events(start_ledger=2, filters=ours)
    assert page.events == []
    for number in range(3):
        town.close()
        town.buy(town.purchase(purchase_id=bytes([number]) * 32))
        page = town.rpc.get_events(cursor=page.cursor, filters=ours)
        assert len(page.events) == 1
    assert town.rpc.get_events(cursor=page.cursor, filters=ours).events == []


def test_filters_narrow_by_contract_type_and_topic(town: Town) -> None:
    town.buy(town.purchase())
    to_payee = [scval.to_symbol("transfer"), scval.to_address(BUYER.public_key)]
    topics = [[*(topic.to_xdr() for topic in to_payee), "*", "*"]]
    only = EventFilter(event_type=EventFilterType.CONTRACT, contract_ids=[USDC_SAC], topics=topics)
    assert len(read_all(town, 100, [only])) == 2
    purchased = EventFilter(contract_ids=[network.CONTRACT], topics=[[PURCHASED, "**"]])
    assert len(read_all(town, 100, [purchased])) == 1
    assert len(read_all(town, 100, [only, purchased])) == 3
    system = EventFilter(event_type=EventFilterType.SYSTEM)
    assert read_all(town, 100, [system]) == []


def test_event_tells_where_and_when_it_happened(town: Town) -> None:
    response = town.buy(town.purchase())
    purchased = EventFilter(contract_ids=[network.CONTRACT])
    (event,) = read_all(town, 100, [purchased])
    assert event.ledger == response.ledger
    assert event.transaction_hash == response.transaction_hash
    assert event.transaction_index == response.application_order
    assert event.operation_index == 0
    assert int(event.ledger_close_at.timestamp()) == response.create_at


def test_failed_call_has_no_events(town: Town) -> None:
    arguments = town.purchase()
    good = town.authorize(town.authorization(arguments))
    bad = town.authorize(town.authorization(arguments), by=TREASURY)
    before = len(read_all(town, 100))
    town.send_call(arguments, bad, like=good)
    assert len(read_all(town, 100)) == before


def test_end_ledger_is_not_included(town: Town) -> None:
    response = town.buy(town.purchase())
    assert response.ledger is not None
    ours = [EventFilter(contract_ids=[network.CONTRACT])]

    def count(end: int) -> int:
        found = town.rpc.get_events(start_ledger=2, end_ledger=end, filters=ours)
        return len(found.events)

    assert (count(response.ledger), count(response.ledger + 1)) == (0, 1)


@pytest.mark.parametrize("start", [1, 10_000])
def test_start_outside_the_kept_ledgers_is_refused(town: Town, start: int) -> None:
    with pytest.raises(SorobanRpcErrorResponse) as refusal:
        town.rpc.get_events(start_ledger=start)
    assert refusal.value.code == -32600
    assert refusal.value.message is not None
    assert "startLedger must be within the ledger range: 2 - " in refusal.value.message


def test_balances_follow_from_the_events_alone(town: Town) -> None:
    """CAP-67: whoever adds up transfers, mints and burns knows every balance."""
    town.buy(town.purchase())
    town.apply(town.pay(PAYEE, BUYER, "3"))
    town.apply(town.pay(BUYER, network.ISSUERS["USDC"], "4"))
    held = dict.fromkeys((BUYER.public_key, PAYEE.public_key, TREASURY.public_key), 0)
    for event in read_all(town, 100, [EventFilter(contract_ids=[USDC_SAC])]):
        kind = scval.from_symbol(event.topic[0])
        addresses = [scval.from_address(topic).address for topic in event.topic[1:-1]]
        amount = scval.from_int128(event.value)
        if kind in ("transfer", "burn"):
            held[addresses[0]] -= amount
        if kind in ("transfer", "mint"):
            held[addresses[-1]] += amount
    for person in (BUYER, PAYEE, TREASURY):
        assert held[person.public_key] == town.balance(person)
