"""A contract is uploaded, made and told whom to trust; each once, and by nobody but its admin.

The node is a fake: it takes what is sent for done, and answers what the contract would.
"""

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from stellar_sdk import (
    Account,
    Address,
    InvokeHostFunction,
    Keypair,
    StrKey,
    TransactionBuilder,
    TransactionEnvelope,
    scval,
    xdr,
)

from billing.rails.stellar import tokens
from billing.rails.stellar.deploying import Deploying, code_key
from billing.rails.stellar.founding import Step, instance_key
from billing.rails.stellar.operator import Fill
from marketplace.domain import chains
from marketplace.domain.chains import Chain

WASM = (Path(__file__).parents[3] / "contract" / "apicharge.wasm").read_bytes()
KEY, SIGNER = bytes([5]) * 32, bytes([6]) * 32
CHAIN = chains.chain("testnet", channel_key=KEY)
OPERATOR = StrKey.encode_ed25519_public_key(
    bytes.fromhex("6e7a1cdd29b0b78fd13af4c5598feff4ef2a97166e3ca6f2e4fbfccd80505bf1")
)


@dataclass
class Node:
    """The ledger keys that exist, what the contract lists, and the calls that were made."""

    address: str
    passphrase: str
    admin: str = ""
    keys: set[str] = field(default_factory=set)
    listed: set[str] = field(default_factory=set)
    calls: list[xdr.HostFunction] = field(default_factory=list)

    def has(self, key: xdr.LedgerKey) -> bool:
        return key.to_xdr() in self.keys

    def call(self, fill: Fill) -> None:
        builder = TransactionBuilder(Account(self.address, 1), self.passphrase)
        fill(builder)
        envelope = builder.add_time_bounds(0, 0).build()
        assert isinstance(envelope, TransactionEnvelope)
        (operation,) = envelope.transaction.operations
        assert isinstance(operation, InvokeHostFunction)
        self.calls.append(operation.host_function)
        self._apply(operation.host_function)

    def _apply(self, function: xdr.HostFunction) -> None:
        if function.wasm is not None:
            self.keys.add(code_key(hashlib.sha256(function.wasm).digest()).to_xdr())
        elif function.create_contract_v2 is not None:
            made = function.create_contract_v2
            self.keys.add(instance_key(self._id(made.contract_id_preimage)).to_xdr())
            admin, signer, accepted = made.constructor_args
            self.admin = scval.from_address(admin).address
            self.listed |= {each.to_xdr() for each in [signer, *scval.from_vec(accepted)]}
        elif function.invoke_contract is not None:
            self.listed.add(function.invoke_contract.args[0].to_xdr())

    def _id(self, made: xdr.ContractIDPreimage) -> str:
        network = xdr.Hash(hashlib.sha256(self.passphrase.encode()).digest())
        preimage = xdr.HashIDPreimage(
            xdr.EnvelopeType.ENVELOPE_TYPE_CONTRACT_ID,
            contract_id=xdr.HashIDPreimageContractID(network, made),
        )
        return StrKey.encode_contract(hashlib.sha256(preimage.to_xdr_bytes()).digest())


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Node:
    operator = chains.operator_seed(KEY, "testnet")
    address = Address(_public(operator)).address
    node = Node(address, CHAIN.passphrase)

    def ask(_rpc: object, contract: str, function: str, given: list[xdr.SCVal], _: str) -> object:
        assert contract == CHAIN.contract
        if not node.has(instance_key(contract)):
            return None
        if function == "admin":
            return scval.to_address(node.admin)
        return scval.to_bool(given[0].to_xdr() in node.listed)

    monkeypatch.setattr(tokens, "ask", ask)
    return node


def _public(seed: bytes) -> str:
    return Keypair.from_raw_ed25519_seed(seed).public_key


def deploying(node: Node, chain: Chain = CHAIN, signer: bytes = SIGNER) -> Deploying:
    return Deploying(node, chain, node, signer, WASM)  # type: ignore[arg-type] # the fake


def run(made: Deploying) -> list[Step]:
    taken = []
    for step in made.steps():
        taken.append(step)
        if step.act is not None:
            step.act()
    return taken


def test_first_run_uploads_and_makes_the_contract_that_its_id_promised(node: Node) -> None:
    steps = run(deploying(node))
    assert [step.done for step in steps] == [False, False, True, True, True]
    upload, create = node.calls
    assert upload.wasm == WASM
    assert create.create_contract_v2 is not None
    assert create.create_contract_v2.executable.wasm_hash is not None
    assert create.create_contract_v2.executable.wasm_hash.hash == hashlib.sha256(WASM).digest()
    assert node.has(instance_key(CHAIN.contract))
    assert node.admin == node.address


def test_second_run_changes_nothing(node: Node) -> None:
    run(deploying(node))
    calls = len(node.calls)
    assert all(step.done for step in run(deploying(node)))
    assert len(node.calls) == calls


def test_looking_changes_nothing(node: Node) -> None:
    assert [step.done for step in deploying(node).steps()] == [False] * 5
    assert node.calls == []


def test_new_signer_is_told_to_the_contract(node: Node) -> None:
    run(deploying(node))
    steps = run(deploying(node, signer=bytes([9]) * 32))
    assert [step.done for step in steps] == [True, True, False, True, True]
    told = node.calls[-1].invoke_contract
    assert told is not None
    assert told.function_name.sc_symbol == b"set_signer"
    assert told.args == [scval.to_bytes(bytes([9]) * 32), scval.to_bool(True)]


def test_what_another_admin_has_to_do_is_said(node: Node) -> None:
    run(deploying(node))
    node.admin = OPERATOR
    (missing,) = [s for s in run(deploying(node, signer=bytes(32))) if not s.done]
    assert (missing.act, missing.advice) == (None, f"{OPERATOR} has to call set_signer")


def test_contract_of_somebody_else_is_never_deployed(node: Node) -> None:
    other = replace(CHAIN, contract=chains.sandbox().contract)
    first = next(deploying(node, other).steps())
    assert (first.done, first.words) == (True, f"contract {other.contract} is deployed elsewhere")
