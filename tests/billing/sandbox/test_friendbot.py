"""Test money for the asking, by transactions like any other."""

import asyncio

import pytest

from billing.sandbox import network
from billing.sandbox.friendbot import Friendbot, Funded, Refused
from tests.billing.sandbox.town import BUYER, USDC, Town, code_of, person

NEWCOMER = person(91)


def funded(town: Town, account: str, asset: str | None = None) -> str:
    begun = Friendbot(town.node).begin(account, asset)
    assert isinstance(begun, Funded)
    town.close()
    return code_of(town.rpc.get_transaction(begun.hash.hex()))


def test_new_account_gets_ten_thousand_lumens(empty_town: Town) -> None:
    assert funded(empty_town, NEWCOMER.public_key) == "txSUCCESS"
    assert empty_town.lumens(NEWCOMER) == 100_000_000_000


def test_asset_brings_account_trustline_and_a_thousand_units(empty_town: Town) -> None:
    assert funded(empty_town, NEWCOMER.public_key, "USDC") == "txSUCCESS"
    assert empty_town.balance(NEWCOMER) == 10_000_000_000
    assert funded(empty_town, NEWCOMER.public_key, "EURC") == "txSUCCESS"
    assert empty_town.balance(NEWCOMER, network.ASSETS["EURC"]) == 10_000_000_000
    assert funded(empty_town, NEWCOMER.public_key, "USDC") == "txSUCCESS"
    assert empty_town.balance(NEWCOMER) == 20_000_000_000


def test_many_can_be_funded_in_one_ledger(empty_town: Town) -> None:
    friendbot = Friendbot(empty_town.node)
    many = [person(number) for number in range(100, 150)]
    begun = [friendbot.begin(one.public_key, "USDC") for one in many]
    assert all(isinstance(one, Funded) for one in begun)
    empty_town.close()
    assert [empty_town.balance(one) for one in many] == [10_000_000_000] * 50


def test_account_that_exists_is_refused_more_lumens(town: Town) -> None:
    refused = Friendbot(town.node).begin(BUYER.public_key, None)
    assert refused == Refused(400, "account already funded to starting balance")


def test_asked_twice_in_one_ledger_it_funds_once(empty_town: Town) -> None:
    friendbot = Friendbot(empty_town.node)
    first = friendbot.begin(NEWCOMER.public_key, None)
    second = friendbot.begin(NEWCOMER.public_key, None)
    assert isinstance(first, Funded)
    assert isinstance(second, Funded)
    empty_town.close()
    assert empty_town.lumens(NEWCOMER) == 100_000_000_000
    codes = [code_of(empty_town.rpc.get_transaction(one.hash.hex())) for one in (first, second)]
    assert codes == ["txSUCCESS", "txFAILED"]


async def test_asked_for_an_asset_twice_at_once_it_gives_twice(empty_town: Town) -> None:
    friendbot = Friendbot(empty_town.node)
    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(friendbot.fund(NEWCOMER.public_key, "USDC")) for _ in "ab"]
        while not all(one.done() for one in asked):
            await asyncio.sleep(0)
            empty_town.close()
            friendbot.wake()
    assert all(isinstance(one.result(), Funded) for one in asked)
    assert empty_town.balance(NEWCOMER) == 20_000_000_000


@pytest.mark.parametrize(
    ("account", "asset"),
    [
        ("", None),
        ("G", None),
        ("M" * 69, None),
        (NEWCOMER.public_key, "GOLD"),
        (NEWCOMER.public_key, ""),
    ],
)
def test_nonsense_is_refused(empty_town: Town, account: str, asset: str | None) -> None:
    refused = Friendbot(empty_town.node).begin(account, asset)
    assert isinstance(refused, Refused)
    assert refused.status == 400
    assert empty_town.storage.pending() == []


def test_what_it_promised_survives_a_restart(empty_town: Town) -> None:
    Friendbot(empty_town.node).begin(NEWCOMER.public_key, "USDC")
    empty_town.reopen()
    empty_town.close()
    assert empty_town.balance(NEWCOMER, USDC) == 10_000_000_000
