"""The purchase contract on a network: its code, its instance, the signer and the assets it accepts.

The id is fixed before it exists: it follows from the operator's address, the salt and the network.
Whatever the contract's admin alone may do is done when the operator is the admin, and else advice.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from stellar_sdk import TransactionBuilder, scval, xdr

from billing.rails.stellar import tokens
from billing.rails.stellar.founding import Step, instance_key
from billing.rails.stellar.operator import Operator
from billing.rails.stellar.rpc import Rpc
from marketplace.domain.chains import CONTRACT_SALT, Chain, contract_of


@dataclass(frozen=True, slots=True)
class Deploying:
    rpc: Rpc
    chain: Chain
    operator: Operator
    signer: bytes  # That quotes are signed with now.
    wasm: bytes

    def steps(self) -> Iterator[Step]:
        words = f"contract {self.chain.contract}"
        if (
            self.chain.is_sandbox
        ):  # It comes with its contract, and is told our signer at its start.
            yield Step(f"{words} is the sandbox's own", done=True)
            return
        ours = contract_of(self.operator.address, self.chain.passphrase)
        if self.chain.contract != ours:
            yield Step(f"{words} is deployed elsewhere", done=True)
        else:
            yield self._step(f"code {self.code.hex()}", code_key(self.code), self._upload)
            yield self._step(words, instance_key(self.chain.contract), self._create)
        yield self._listed("signer", "is_signer", scval.to_bytes(self.signer), "set_signer")
        for asset in self.chain.assets.values():
            named = f"asset {asset.code}"
            yield self._listed(named, "is_token", scval.to_address(asset.sac), "set_token")

    @property
    def code(self) -> bytes:
        return hashlib.sha256(self.wasm).digest()

    def _step(self, words: str, key: xdr.LedgerKey, act: Callable[[], None]) -> Step:
        return Step(words, done=True) if self.rpc.has(key) else Step(words, act=act)

    def _listed(self, named: str, asked: str, value: xdr.SCVal, setter: str) -> Step:
        words = f"{named} accepted by the contract"
        if self._ask(asked, [value]) == scval.to_bool(True):
            return Step(words, done=True)
        admin = self._ask("admin", [])
        if admin is not None and scval.from_address(admin).address != self.operator.address:
            who = scval.from_address(admin).address
            return Step(words, advice=f"{who} has to call {setter}")
        return Step(words, act=partial(self._call, setter, [value, scval.to_bool(True)]))

    def _ask(self, function: str, arguments: list[xdr.SCVal]) -> xdr.SCVal | None:
        contract, passphrase = self.chain.contract, self.chain.passphrase
        return tokens.ask(self.rpc, contract, function, arguments, passphrase)

    def _upload(self) -> None:
        self.operator.call(lambda builder: builder.append_upload_contract_wasm_op(self.wasm))

    def _create(self) -> None:
        """With the signer and the assets that it accepts from its first moment."""
        accepted = [scval.to_address(asset.sac) for asset in self.chain.assets.values()]
        arguments = [
            scval.to_address(self.operator.address),
            scval.to_bytes(self.signer),
            scval.to_vec(accepted),
        ]

        def fill(builder: TransactionBuilder) -> None:
            builder.append_create_contract_op(
                self.code, self.operator.address, arguments, CONTRACT_SALT
            )

        self.operator.call(fill)

    def _call(self, function: str, arguments: list[xdr.SCVal]) -> None:
        contract = self.chain.contract
        self.operator.call(
            lambda builder: builder.append_invoke_contract_function_op(
                contract, function, arguments
            )
        )


def code_key(code: bytes) -> xdr.LedgerKey:
    return xdr.LedgerKey(
        xdr.LedgerEntryType.CONTRACT_CODE, contract_code=xdr.LedgerKeyContractCode(xdr.Hash(code))
    )
