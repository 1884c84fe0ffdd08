"""The chain finds every single change. The first hash is of bytes that are spelled out here."""

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.audit import GENESIS, Broken, Entry, Intact, Link, link_hash, verify

FIRST = Entry(
    number=1,
    at_ms=1_800_000_000_123,
    actor="worker",
    action="purchase.pay",
    subject="ab" * 32,
    detail={"ledger": 7, "from": "submitted"},
)
# The canonical form is spelled out: RFC 8785 sorts keys and writes no white space.
FIRST_BYTES = (
    b"apicharge-audit-v1\0"
    + bytes(32)
    + b'{"action":"purchase.pay","actor":"worker","at_ms":1800000000123,'
    + b'"detail":{"from":"submitted","ledger":7},"number":1,"subject":"'
    + b"ab" * 32
    + b'"}'
)
FIRST_HASH = "047985336c2774f41d84dd3908b795bfe9a23084c2afc5b8cbd4d84433b78eca"


def chain(length: int) -> list[Link]:
    links: list[Link] = []
    previous = GENESIS
    for number in range(1, length + 1):
        entry = replace(FIRST, number=number, at_ms=FIRST.at_ms + number, detail={"ledger": number})
        links.append(Link(entry, previous, link_hash(entry, previous)))
        previous = links[-1].hash
    return links


def judged(links: list[Link], whole: list[Link]) -> Intact | Broken:
    return verify(links, head_number=len(whole), head_hash=whole[-1].hash)


def test_hash_is_that_of_the_bytes_in_the_rule() -> None:
    assert link_hash(FIRST, GENESIS) == FIRST_HASH
    assert hashlib.sha256(FIRST_BYTES).hexdigest() == FIRST_HASH


def test_empty_log_is_intact() -> None:
    assert verify([], head_number=0, head_hash=GENESIS) == Intact(0, GENESIS)


@given(st.integers(1, 30))
def test_untouched_chain_is_intact(length: int) -> None:
    links = chain(length)
    assert judged(links, links) == Intact(length, links[-1].hash)


@given(st.integers(1, 20), st.data())
def test_changed_entry_is_found_where_it_is(length: int, data: st.DataObject) -> None:
    links = chain(length)
    at = data.draw(st.integers(0, length - 1))
    field, value = data.draw(
        st.sampled_from(
            [("actor", "x"), ("action", "x"), ("subject", "x"), ("at_ms", 1), ("detail", {})]
        )
    )
    touched = [*links]
    touched[at] = replace(links[at], entry=replace(links[at].entry, **{field: value}))
    assert judged(touched, links) == Broken(at + 1, "content does not match its hash")


@given(st.integers(1, 20), st.data())
def test_removed_entry_is_found(length: int, data: st.DataObject) -> None:
    links = chain(length)
    at = data.draw(st.integers(0, length - 1))
    verdict = judged(links[:at] + links[at + 1 :], links)
    assert isinstance(verdict, Broken)
    assert verdict.number == at + 1


@given(st.integers(2, 20), st.data())
def test_swapped_entries_are_found(length: int, data: st.DataObject) -> None:
    links = chain(length)
    first, second = sorted(data.draw(st.sets(st.integers(0, length - 1), min_size=2, max_size=2)))
    touched = [*links]
    touched[first], touched[second] = links[second], links[first]
    assert isinstance(judged(touched, links), Broken)


@given(st.integers(2, 20), st.data())
def test_entry_written_anew_with_its_own_hash_breaks_the_next(
    length: int, data: st.DataObject
) -> None:
    links = chain(length)
    at = data.draw(st.integers(0, length - 2))
    entry = replace(links[at].entry, actor="mallory")
    touched = [*links]
    touched[at] = Link(entry, links[at].previous, link_hash(entry, links[at].previous))
    assert judged(touched, links) == Broken(at + 2, "does not follow the entry before it")


def test_whole_chain_written_anew_does_not_end_at_the_head() -> None:
    links = chain(5)
    forged = chain(4)
    assert isinstance(judged(forged, links), Broken)


@pytest.mark.parametrize("length", [1, 2, 7])
def test_added_entry_is_found(length: int) -> None:
    assert isinstance(judged(chain(length + 1), chain(length)), Broken)
