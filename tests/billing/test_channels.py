"""Channel accounts: nobody shares one, nobody keeps one, and a poor one is left out."""

import threading
from collections.abc import Iterator

import pytest
from django.db import connections

from billing import channels, conf
from billing.channels import LEASE_SECONDS
from billing.domain.errors import NetworkUnavailable
from billing.models import AuditEntry, ChainTransaction, ChannelAccount
from tests.billing.working import Shop, state_of
from tests.fakes.rail import FakeRail

NOW_S = 1_800_000_000.0
# Leases lock rows, which each database does its own way; the rest is the same on both.
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def shop(database: str) -> Iterator[Shop]:
    shop = Shop(FakeRail())
    with conf.paying_by(shop.rail):
        yield shop


@on_sqlite
def test_channels_are_made_and_funded_once(shop: Shop) -> None:
    first = channels.ensure(3, now_s=NOW_S)
    again = channels.ensure(3, now_s=NOW_S)
    assert [row.pk for row in first] == [row.pk for row in again]
    assert {row.usable for row in again} == {True}
    assert AuditEntry.objects.filter(action="channel.made").count() == 3


@on_sqlite
def test_channel_that_cannot_be_funded_is_not_used(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shop.rail, "fund", lambda addresses: None)
    (row,) = channels.ensure(1, now_s=NOW_S)
    assert (row.usable, row.problem) == (False, "not funded")
    assert channels.lease(network="fake", now_s=NOW_S) is None
    monkeypatch.undo()
    (row,) = channels.ensure(1, now_s=NOW_S)
    assert row.usable


@on_sqlite
def test_channels_of_another_key_are_not_taken_over(shop: Shop) -> None:
    channels.ensure(1, now_s=NOW_S)
    ChannelAccount.objects.update(address="GOTHER")
    with pytest.raises(NetworkUnavailable, match="another channel key"):
        channels.ensure(1, now_s=NOW_S)


def test_leases_at_one_moment_get_different_channels(shop: Shop) -> None:
    channels.ensure(4, now_s=NOW_S)
    barrier = threading.Barrier(8)
    leased: list[int] = []

    def lease() -> None:
        barrier.wait()
        try:
            found = channels.lease(network="fake", now_s=NOW_S)
            if found is not None:
                leased.append(found.row.pk)
        finally:
            connections["default"].close()

    threads = [threading.Thread(target=lease) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(leased) == len(set(leased))
    assert 1 <= len(leased) <= 4


def test_lease_of_a_dead_worker_ends(shop: Shop) -> None:
    channels.ensure(1, now_s=NOW_S)
    first = channels.lease(network="fake", now_s=NOW_S)
    assert first is not None
    assert channels.lease(network="fake", now_s=NOW_S + LEASE_SECONDS - 1) is None
    second = channels.lease(network="fake", now_s=NOW_S + LEASE_SECONDS)
    assert second is not None
    assert not channels.still_leased(first)
    assert channels.still_leased(second)


def test_channel_given_back_late_stays_its_new_owners(shop: Shop) -> None:
    channels.ensure(1, now_s=NOW_S)
    first = channels.lease(network="fake", now_s=NOW_S)
    second = channels.lease(network="fake", now_s=NOW_S + LEASE_SECONDS)
    assert first is not None
    assert second is not None
    channels.give_back(first)
    assert channels.still_leased(second)


@on_sqlite
def test_open_transaction_holds_its_channel_for_as_long_as_it_takes(shop: Shop) -> None:
    shop.open(channel_count=1)
    shop.rail.loses = True
    first, second = (shop.authorized() for _ in range(2))
    for _ in range(3):
        shop.turn(seconds=10)
    states = sorted([state_of(first), state_of(second)])
    assert states == ["authorized", "submitted"]
    assert ChainTransaction.objects.count() == 1


@on_sqlite
def test_all_purchases_get_their_turn_on_one_channel(shop: Shop) -> None:
    shop.open(channel_count=1)
    purchases = [shop.authorized() for _ in range(4)]
    for _ in range(12):
        shop.turn()
        shop.rail.close_ledger()
    assert {state_of(purchase) for purchase in purchases} == {"granted"}
    sequences = ChainTransaction.objects.order_by("sequence").values_list("sequence", flat=True)
    assert list(sequences) == [1, 2, 3, 4]


@on_sqlite
def test_node_that_is_behind_does_not_make_a_sequence_used_twice(shop: Shop) -> None:
    shop.open(channel_count=1)
    shop.authorized()
    shop.turn()
    shop.rail.close_ledger()
    shop.turn()
    address = ChannelAccount.objects.get().address
    shop.rail.sequences[address] = 0
    leased = channels.lease(network="fake", now_s=shop.now_s)
    assert leased is not None
    assert channels.next_sequence(leased) == 2


@on_sqlite
def test_network_is_asked_for_a_sequence_only_when_rows_cannot_tell(shop: Shop) -> None:
    shop.open(channel_count=1)
    shop.authorized()
    shop.turn()
    shop.rail.close_ledger()
    shop.turn()
    leased = channels.lease(network="fake", now_s=shop.now_s)
    assert leased is not None
    shop.rail.sequences.clear()
    assert channels.next_sequence(leased) == 2
    ChainTransaction.objects.update(state="dead")
    assert channels.next_sequence(leased) is None
