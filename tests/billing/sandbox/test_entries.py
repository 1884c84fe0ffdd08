"""Keys as everybody else computes them."""

from stellar_sdk import Keypair, scval, xdr

from billing.sandbox import entries
from billing.sandbox.entries import Durability
from tests.billing.sandbox.town import USDC, USDC_SAC, person

WHO = person(1).public_key


def test_account_key_is_the_sdks() -> None:
    account = Keypair.from_public_key(WHO).xdr_account_id()
    key = entries.account_key(WHO).account
    assert key is not None
    assert key.account_id == account
    assert entries.name_of(account) == WHO


def test_trustline_key_names_owner_and_asset() -> None:
    key = entries.trustline_key(WHO, USDC).trust_line
    assert key is not None
    assert entries.name_of(key.account_id) == WHO
    assert key.asset.alpha_num4 is not None
    assert key.asset.alpha_num4.asset_code.asset_code4 == b"USDC"


def test_nonce_is_temporary_data_of_its_account() -> None:
    key = entries.nonce_key(WHO, -5).contract_data
    assert key is not None
    assert entries.address_of(key.contract) == WHO
    assert key.durability == Durability.TEMPORARY
    assert key.key.nonce_key is not None
    assert key.key.nonce_key.nonce.int64 == -5


def test_same_key_of_another_durability_is_another_entry() -> None:
    name = scval.to_symbol("key")
    kinds = [entries.data_key(USDC_SAC, name, one).to_xdr() for one in Durability]
    assert len(set(kinds)) == 2


def test_new_entries_are_readable_as_the_network_writes_them() -> None:
    account = entries.of_account(entries.new_account(WHO, balance=5, sequence=7))
    line = entries.of_trustline(entries.new_trustline(WHO, USDC, limit=9))
    for entry in (account, line):
        assert xdr.LedgerEntryData.from_xdr_bytes(entry.to_xdr_bytes()) == entry
    assert line.trust_line is not None
    assert line.trust_line.flags.uint32 == 1
