"""Ledger entries: their keys and their first form. Accounts are named by G…, contracts by C…

Names are looked up in both ways some hundred times a transaction, and are the same few: what they
are made into is kept, and must not be changed.
"""

from functools import lru_cache

from stellar_sdk import Address, Asset, StrKey, xdr

Durability = xdr.ContractDataDurability
NAMES_KEPT = 4_096
AUTHORIZED = xdr.TrustLineFlags.AUTHORIZED_FLAG.value


@lru_cache(maxsize=NAMES_KEPT)
def account_id(account: str) -> xdr.AccountID:
    raw = xdr.Uint256(StrKey.decode_ed25519_public_key(account))
    return xdr.AccountID(xdr.PublicKey(xdr.PublicKeyType.PUBLIC_KEY_TYPE_ED25519, ed25519=raw))


def name_of(account: xdr.AccountID) -> str:
    raw = account.account_id.ed25519
    assert raw is not None
    return _account_name(raw.uint256)


@lru_cache(maxsize=NAMES_KEPT)
def _account_name(key: bytes) -> str:
    return StrKey.encode_ed25519_public_key(key)


@lru_cache(maxsize=NAMES_KEPT)
def address_of(address: xdr.SCAddress) -> str:
    return Address.from_xdr_sc_address(address).address


@lru_cache(maxsize=NAMES_KEPT)
def sc_address(name: str) -> xdr.SCAddress:
    return Address(name).to_xdr_sc_address()


def account_key(account: str) -> xdr.LedgerKey:
    return xdr.LedgerKey(
        xdr.LedgerEntryType.ACCOUNT, account=xdr.LedgerKeyAccount(account_id(account))
    )


def trustline_key(account: str, asset: Asset) -> xdr.LedgerKey:
    return xdr.LedgerKey(
        xdr.LedgerEntryType.TRUSTLINE,
        trust_line=xdr.LedgerKeyTrustLine(
            account_id(account), asset.to_trust_line_asset_xdr_object()
        ),
    )


def data_key(owner: str, key: xdr.SCVal, durability: Durability) -> xdr.LedgerKey:
    return xdr.LedgerKey(
        xdr.LedgerEntryType.CONTRACT_DATA,
        contract_data=xdr.LedgerKeyContractData(sc_address(owner), key, durability),
    )


def instance_key(contract: str) -> xdr.LedgerKey:
    key = xdr.SCVal(xdr.SCValType.SCV_LEDGER_KEY_CONTRACT_INSTANCE)
    return data_key(contract, key, Durability.PERSISTENT)


def code_key(digest: bytes) -> xdr.LedgerKey:
    return xdr.LedgerKey(
        xdr.LedgerEntryType.CONTRACT_CODE,
        contract_code=xdr.LedgerKeyContractCode(xdr.Hash(digest)),
    )


def nonce_key(account: str, nonce: int) -> xdr.LedgerKey:
    key = xdr.SCVal(xdr.SCValType.SCV_LEDGER_KEY_NONCE, nonce_key=xdr.SCNonceKey(xdr.Int64(nonce)))
    return data_key(account, key, Durability.TEMPORARY)


def new_account(account: str, *, balance: int, sequence: int) -> xdr.AccountEntry:
    return xdr.AccountEntry(
        account_id(account),
        xdr.Int64(balance),
        xdr.SequenceNumber(xdr.Int64(sequence)),
        xdr.Uint32(0),
        None,
        xdr.Uint32(0),
        xdr.String32(b""),
        xdr.Thresholds(bytes([1, 0, 0, 0])),
        [],
        xdr.AccountEntryExt(0),
    )


def new_trustline(account: str, asset: Asset, *, limit: int) -> xdr.TrustLineEntry:
    return xdr.TrustLineEntry(
        account_id(account),
        asset.to_trust_line_asset_xdr_object(),
        xdr.Int64(0),
        xdr.Int64(limit),
        xdr.Uint32(AUTHORIZED),
        xdr.TrustLineEntryExt(0),
    )


def new_instance(executable: xdr.ContractExecutable, storage: xdr.SCMap | None = None) -> xdr.SCVal:
    instance = xdr.SCContractInstance(executable, storage)
    return xdr.SCVal(xdr.SCValType.SCV_CONTRACT_INSTANCE, instance=instance)


def of_account(entry: xdr.AccountEntry) -> xdr.LedgerEntryData:
    return xdr.LedgerEntryData(xdr.LedgerEntryType.ACCOUNT, account=entry)


def of_trustline(entry: xdr.TrustLineEntry) -> xdr.LedgerEntryData:
    return xdr.LedgerEntryData(xdr.LedgerEntryType.TRUSTLINE, trust_line=entry)


def of_code(digest: bytes, code: bytes) -> xdr.LedgerEntryData:
    entry = xdr.ContractCodeEntry(xdr.ContractCodeEntryExt(0), xdr.Hash(digest), code)
    return xdr.LedgerEntryData(xdr.LedgerEntryType.CONTRACT_CODE, contract_code=entry)


def of_data(key: xdr.LedgerKey, value: xdr.SCVal) -> xdr.LedgerEntryData:
    data = key.contract_data
    assert data is not None
    entry = xdr.ContractDataEntry(
        xdr.ExtensionPoint(0), data.contract, data.key, data.durability, value
    )
    return xdr.LedgerEntryData(xdr.LedgerEntryType.CONTRACT_DATA, contract_data=entry)
