"""The Stellar Asset Contract: a classic asset behind the SEP-41 interface.

An account's balance is its trustline (or its lumens); a contract's is an entry of this contract.
Errors carry the numbers of the contract that is built into every Stellar node.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum

from stellar_sdk import Asset, scval, xdr

from billing.sandbox import entries, holdings, network
from billing.sandbox.holdings import Shortfall
from billing.sandbox.host import Host
from billing.sandbox.hosterrors import Code, HostError, Kind

EXECUTABLE = xdr.ContractExecutable(xdr.ContractExecutableType.CONTRACT_EXECUTABLE_STELLAR_ASSET)
DECIMALS = 7


class AssetError(IntEnum):
    ACCOUNT_MISSING = 6
    NEGATIVE_AMOUNT = 8
    BALANCE = 10
    BALANCE_DEAUTHORIZED = 11
    TRUSTLINE_MISSING = 13


WORDS = {
    Shortfall.NO_ACCOUNT: (AssetError.ACCOUNT_MISSING, "account entry is missing"),
    Shortfall.NO_TRUSTLINE: (
        AssetError.TRUSTLINE_MISSING,
        "trustline entry is missing for account",
    ),
    Shortfall.NOT_AUTHORIZED: (AssetError.BALANCE_DEAUTHORIZED, "balance is deauthorized"),
    Shortfall.UNDERFUNDED: (
        AssetError.BALANCE,
        "resulting balance is not within the allowed range",
    ),
    Shortfall.LINE_FULL: (
        AssetError.BALANCE,
        "resulting balance is not within the allowed range",
    ),
}


def instance_of(asset: Asset) -> xdr.SCVal:
    """The instance that deploying the asset's contract creates."""
    name = scval.to_string(holdings.sep11_name(asset))
    symbol = scval.to_string("native" if asset.is_native() else asset.code)
    metadata = scval.to_struct(
        {"decimal": scval.to_uint32(DECIMALS), "name": name, "symbol": symbol}
    )
    fields = [xdr.SCMapEntry(scval.to_symbol("METADATA"), metadata)]
    if asset.issuer is not None:
        fields.append(xdr.SCMapEntry(_variant("Admin"), scval.to_address(asset.issuer)))
    fields.append(xdr.SCMapEntry(_variant("AssetInfo"), _info(asset)))
    return entries.new_instance(EXECUTABLE, xdr.SCMap(fields))


def _variant(name: str, *values: xdr.SCVal) -> xdr.SCVal:
    return scval.to_vec([scval.to_symbol(name), *values])


def _info(asset: Asset) -> xdr.SCVal:
    if asset.is_native() or asset.issuer is None:
        return _variant("Native")
    kind, length = ("AlphaNum4", 4) if len(asset.code) <= 4 else ("AlphaNum12", 12)
    issuer = entries.account_id(asset.issuer).account_id.ed25519
    assert issuer is not None
    code = asset.code if length == 4 else asset.code.ljust(length, "\0")
    fields = {
        "asset_code": scval.to_string(code),
        "issuer": scval.to_bytes(issuer.uint256),
    }
    return _variant(kind, scval.to_struct(fields))


def asset_of(instance: xdr.SCContractInstance) -> Asset:
    """Read back from the metadata that `instance_of` wrote."""
    assert instance.storage is not None
    metadata = instance.storage.sc_map[0].val
    fields = scval.from_struct(metadata)
    name = scval.from_string(fields["name"]).decode()
    if name == "native":
        return network.NATIVE
    code, _, issuer = name.partition(":")
    return Asset(code, issuer)


class AssetContract:
    def defines(self, function: str) -> bool:
        return function in FUNCTIONS

    def call(
        self, host: Host, instance: xdr.SCContractInstance, function: str, args: Sequence[xdr.SCVal]
    ) -> xdr.SCVal:
        if function not in FUNCTIONS:
            raise HostError(
                Kind.SCE_CONTEXT,
                Code.SCEC_MISSING_VALUE,
                "trying to invoke non-existent contract function",
                scval.to_symbol(function),
            )
        run, arity = FUNCTIONS[function]
        if len(args) != arity:
            raise HostError(
                Kind.SCE_CONTEXT, Code.SCEC_UNEXPECTED_SIZE, "wrong number of arguments"
            )
        return run(host, asset_of(instance), args)


def _decimals(_host: Host, _asset: Asset, _args: Sequence[xdr.SCVal]) -> xdr.SCVal:
    return scval.to_uint32(DECIMALS)


def _symbol(_host: Host, asset: Asset, _args: Sequence[xdr.SCVal]) -> xdr.SCVal:
    return scval.to_string("native" if asset.is_native() else asset.code)


def _name(_host: Host, asset: Asset, _args: Sequence[xdr.SCVal]) -> xdr.SCVal:
    return scval.to_string(holdings.sep11_name(asset))


def _admin(_host: Host, asset: Asset, _args: Sequence[xdr.SCVal]) -> xdr.SCVal:
    if asset.issuer is None:
        raise HostError(Kind.SCE_CONTRACT, 2, "the native asset has no administrator")
    return scval.to_address(asset.issuer)


def _balance(host: Host, asset: Asset, args: Sequence[xdr.SCVal]) -> xdr.SCVal:
    holder = scval.from_address(args[0]).address
    if holder.startswith("C"):
        return scval.to_int128(_contract_balance(host, holder))
    held = holdings.held(host.view, holder, asset)
    if isinstance(held, Shortfall):
        raise _short(held, holder)
    return scval.to_int128(held)


def _authorized(host: Host, asset: Asset, args: Sequence[xdr.SCVal]) -> xdr.SCVal:
    holder = scval.from_address(args[0]).address
    if holder.startswith("C") or asset.is_native() or holder == asset.issuer:
        return scval.to_bool(True)
    line = host.view.trustline(holder, asset)
    if line is None:
        raise _short(Shortfall.NO_TRUSTLINE, holder)
    return scval.to_bool(bool(line.flags.uint32 & entries.AUTHORIZED))


def _transfer(host: Host, asset: Asset, args: Sequence[xdr.SCVal]) -> xdr.SCVal:
    source = scval.from_address(args[0]).address
    destination = scval.from_address(args[1]).address
    amount = _amount(args[2])
    host.require_auth(source)
    _add(host, asset, source, -amount)
    _add(host, asset, destination, amount)
    host.events.append(holdings.moved(asset, source, destination, amount))
    return scval.to_void()


def _burn(host: Host, asset: Asset, args: Sequence[xdr.SCVal]) -> xdr.SCVal:
    source = scval.from_address(args[0]).address
    amount = _amount(args[1])
    host.require_auth(source)
    if asset.issuer is None:
        raise HostError(Kind.SCE_CONTRACT, 2, "the native asset cannot be burnt")
    _add(host, asset, source, -amount)
    host.events.append(holdings.moved(asset, source, asset.issuer, amount))
    return scval.to_void()


def _mint(host: Host, asset: Asset, args: Sequence[xdr.SCVal]) -> xdr.SCVal:
    destination = scval.from_address(args[0]).address
    amount = _amount(args[1])
    if asset.issuer is None:
        raise HostError(Kind.SCE_CONTRACT, 2, "the native asset has no administrator")
    host.require_auth(asset.issuer)
    _add(host, asset, destination, amount)
    host.events.append(holdings.moved(asset, asset.issuer, destination, amount))
    return scval.to_void()


FUNCTIONS: Mapping[str, tuple[Callable[[Host, Asset, Sequence[xdr.SCVal]], xdr.SCVal], int]] = {
    "admin": (_admin, 0),
    "authorized": (_authorized, 1),
    "balance": (_balance, 1),
    "burn": (_burn, 2),
    "decimals": (_decimals, 0),
    "mint": (_mint, 2),
    "name": (_name, 0),
    "symbol": (_symbol, 0),
    "transfer": (_transfer, 3),
}


def _amount(value: xdr.SCVal) -> int:
    amount = scval.from_int128(value)
    if amount < 0:
        raise HostError(
            Kind.SCE_CONTRACT, AssetError.NEGATIVE_AMOUNT, "negative amount is not allowed", value
        )
    return amount


def _add(host: Host, asset: Asset, holder: str, amount: int) -> None:
    if holder.startswith("C"):
        _add_to_contract(host, holder, amount)
        return
    shortfall = holdings.add(host.view, holder, asset, amount)
    if shortfall is not None:
        raise _short(shortfall, holder)


def _short(shortfall: Shortfall, holder: str) -> HostError:
    number, words = WORDS[shortfall]
    return HostError(Kind.SCE_CONTRACT, int(number), words, scval.to_address(holder))


def _contract_balance(host: Host, holder: str) -> int:
    key = _variant("Balance", scval.to_address(holder))
    value = host.stored(key, entries.Durability.PERSISTENT)
    return 0 if value is None else scval.from_int128(scval.from_struct(value)["amount"])


def _add_to_contract(host: Host, holder: str, amount: int) -> None:
    after = _contract_balance(host, holder) + amount
    if after < 0:
        raise _short(Shortfall.UNDERFUNDED, holder)
    value = scval.to_struct(
        {
            "amount": scval.to_int128(after),
            "authorized": scval.to_bool(True),
            "clawback": scval.to_bool(False),
        }
    )
    key = _variant("Balance", scval.to_address(holder))
    live_until = host.closing.sequence + network.ENTRY_TTL_MAX_LEDGERS - 1
    host.store(key, value, entries.Durability.PERSISTENT, live_until)
