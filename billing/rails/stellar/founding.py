"""What a network has to have before anything is sold on it, as steps that are done or not.

Each step looks first; one that is done does nothing. What we cannot do is advice: lumens on a
network whose lumens are money, or what only another's key may do.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from stellar_sdk import Address, TransactionBuilder, xdr
from stellar_sdk import Asset as StellarAsset

from billing.rails.stellar import tokens
from billing.rails.stellar.operator import GIVEN_STROOPS, KEPT_STROOPS, LUMEN, Operator
from billing.rails.stellar.rpc import Rpc, account_key, trustline_key
from marketplace.domain.chains import Asset, Chain


@dataclass(frozen=True, slots=True)
class Step:
    words: str
    done: bool = False
    act: Callable[[], object] | None = None
    advice: str = ""  # What somebody else has to do, where we cannot.


class Founding:
    def __init__(self, rpc: Rpc, chain: Chain, operator: Operator) -> None:
        self._rpc, self._chain, self.operator = rpc, chain, operator

    def accounts(self, channel_count: int) -> Iterator[Step]:
        """The operator, and on a network of one's own the issuers."""
        needed = channel_count * GIVEN_STROOPS + KEPT_STROOPS
        words = f"operator {self.operator.address} with {needed // LUMEN} XLM"
        if self.operator.stroops() >= needed:
            yield Step(words, done=True)
        elif self._rpc.has_faucet():
            yield Step(words, act=lambda: self._rpc.ask_faucet(self.operator.address))
        else:
            yield Step(words, advice=f"send lumens to {self.operator.address}")
        if self._chain.name == "local":
            for asset in self._chain.assets.values():
                yield self._issuer(asset)

    def assets(self) -> Iterator[Step]:
        """The contracts of the assets: anybody may make them, and somebody has to."""
        for asset in self._chain.assets.values():
            words = f"contract of {asset.code}: {asset.sac}"
            if asset.is_token:
                yield self._token(asset)
            elif self._rpc.has(instance_key(asset.sac)):
                yield Step(words, done=True)
            else:
                yield Step(words, act=partial(self._wrap, asset))

    def receivers(self, addresses: Iterator[tuple[str, str]]) -> Iterator[Step]:
        """Whether who is to be paid can be: (address, asset code)."""
        for address, code in addresses:
            asset = self._chain.assets[code]
            if asset.is_token:
                continue  # Who may hold it, the token says itself.
            line = StellarAsset(asset.code, asset.issuer).to_trust_line_asset_xdr_object()
            words = f"payee {address} can take {code}"
            if not self._rpc.has(account_key(address)):
                yield Step(words, advice="its owner has to create the account")
            elif address != asset.issuer and not self._rpc.has(trustline_key(address, line)):
                yield Step(words, advice=f"its owner has to add a trustline to {asset.issuer}")
            else:
                yield Step(words, done=True)

    def latest_ledger(self) -> int:
        return self._rpc.latest_ledger()

    def protocol(self) -> int:
        return self._rpc.protocol()

    def has_contract(self) -> bool:
        return self._rpc.has(instance_key(self._chain.contract))

    def _token(self, asset: Asset) -> Step:
        words = f"token {asset.code}: {asset.sac}, {asset.decimals} decimals"
        decimals = tokens.decimals(self._rpc, asset.sac, self._chain.passphrase)
        if decimals == asset.decimals:
            return Step(words, done=True)
        found = "it does not answer" if decimals is None else f"it has {decimals}"
        return Step(words, advice=f"{found}: take it out of APICHARGE_ASSETS")

    def _issuer(self, asset: Asset) -> Step:
        words = f"issuer of {asset.code}: {asset.issuer}"
        if self._rpc.has(account_key(asset.issuer)):
            return Step(words, done=True)
        return Step(words, act=lambda: self._rpc.ask_faucet(asset.issuer))

    def _wrap(self, asset: Asset) -> None:
        classic = StellarAsset(asset.code, asset.issuer)

        def fill(builder: TransactionBuilder) -> None:
            builder.append_create_stellar_asset_contract_from_asset_op(classic)

        self.operator.call(fill)


def instance_key(contract: str) -> xdr.LedgerKey:
    return xdr.LedgerKey(
        xdr.LedgerEntryType.CONTRACT_DATA,
        contract_data=xdr.LedgerKeyContractData(
            contract=Address(contract).to_xdr_sc_address(),
            key=xdr.SCVal(xdr.SCValType.SCV_LEDGER_KEY_CONTRACT_INSTANCE),
            durability=xdr.ContractDataDurability.PERSISTENT,
        ),
    )
