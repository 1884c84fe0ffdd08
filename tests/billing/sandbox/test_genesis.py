"""What every sandbox begins with."""

from pathlib import Path

from billing.sandbox import assets, contract, entries, genesis, network
from billing.sandbox.state import View
from tests.billing.sandbox.town import Town


def test_every_sandbox_begins_alike(tmp_path: Path) -> None:
    towns = [Town(tmp_path / name, signers=[]) for name in ("one", "two")]
    first, second = (town.node.state.entries for town in towns)
    assert first == second
    for town in towns:
        town.storage.close()


def test_friendbot_and_issuers_have_accounts(empty_town: Town) -> None:
    for who in (network.FRIENDBOT, *network.ISSUERS.values()):
        assert empty_town.lumens(who) > 0


def test_ledger_of_an_older_contract_gets_the_committed_one(town: Town) -> None:
    older = entries.code_key(contract.HASH).to_xdr_bytes()
    del town.node.state.entries[older]
    view = View(town.node.state, town.node.latest.sequence)
    instance = entries.new_instance(assets.EXECUTABLE)
    view.put_value(entries.instance_key(network.CONTRACT), instance, genesis.FOREVER)
    genesis.install(view)
    assert view.value(entries.instance_key(network.CONTRACT)) == contract.instance()
    assert view.life(entries.code_key(contract.HASH)) == genesis.FOREVER
    before = dict(view.changes)
    genesis.install(view)
    assert view.changes == before


def test_first_ledger_is_the_second() -> None:
    """The first is never seen: ids and cursors of nodes count from there, too."""
    assert network.GENESIS_SEQUENCE == 2
