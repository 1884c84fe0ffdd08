"""The sandbox as a network that knows nothing of us: we deploy on it what we need.

Its own contract is left alone. The token is a SEP-41 token of its own code, `contract/token.wasm`.
"""

import hashlib
from dataclasses import dataclass, replace
from types import MappingProxyType

from django.conf import settings
from stellar_sdk import TransactionBuilder, scval, xdr

from billing.rails.stellar import StellarRail, tokens
from billing.rails.stellar.deploying import Deploying
from billing.rails.stellar.envelopes import address_of
from billing.rails.stellar.rpc import Rpc
from marketplace import quoting
from marketplace.domain import chains
from marketplace.domain.chains import Asset, Chain
from tests.sandboxes import ROOT, RunningSandbox

CONTRACT_WASM = (ROOT / "contract" / "apicharge.wasm").read_bytes()
TOKEN_WASM = (ROOT / "contract" / "token.wasm").read_bytes()
CODE, DECIMALS = "TEST", 7
SALT = hashlib.sha256(b"test token").digest()


@dataclass(frozen=True, slots=True)
class Founded:
    """A network with our operator on it, and a rail whose contract is not there yet."""

    sandbox: RunningSandbox
    chain: Chain
    channel_key: bytes

    @property
    def rail(self) -> StellarRail:
        return StellarRail(
            self.chain,
            self.sandbox.url,
            quote_signers=[quoting.signer_public_key()],
            channel_key=self.channel_key,
        )

    @property
    def deploying(self) -> Deploying:
        return self.rail.deploying(CONTRACT_WASM)

    def with_asset(self, asset: Asset) -> "Founded":
        assets = MappingProxyType({**self.chain.assets, asset.code: asset})
        return replace(self, chain=replace(self.chain, assets=assets))

    def call_token(self, token: Asset, function: str, *arguments: xdr.SCVal) -> None:
        """As its admin, who is our operator."""

        def fill(builder: TransactionBuilder) -> None:
            builder.append_invoke_contract_function_op(token.sac, function, list(arguments))

        self.rail.founding().operator.call(fill)

    def balance(self, token: Asset, holder: str) -> int:
        held = [scval.to_address(holder)]
        rpc = Rpc(self.sandbox.url)
        told = tokens.ask(rpc, token.sac, "balance", held, self.chain.passphrase)
        assert told is not None
        return scval.from_int128(told)


def found(sandbox: RunningSandbox, name: str) -> Founded:
    """`name` tells networks of one sandbox apart: each has an operator, and so a contract, of its
    own."""
    key = hashlib.sha256(f"network {name}".encode()).digest()
    operator = address_of(chains.operator_seed(key, "testnet"))
    contract = chains.contract_of(operator, settings.CHAIN.passphrase)
    sandbox.fund(operator)
    return Founded(sandbox, replace(settings.CHAIN, name="testnet", contract=contract), key)


def deploy_token(founded: Founded) -> Asset:
    operator = founded.rail.founding().operator
    about = [
        scval.to_address(operator.address),
        scval.to_uint32(DECIMALS),
        scval.to_string("Test token"),
        scval.to_string(CODE),
    ]
    code = hashlib.sha256(TOKEN_WASM).digest()
    operator.call(lambda builder: builder.append_upload_contract_wasm_op(TOKEN_WASM))
    made = operator.call(
        lambda builder: builder.append_create_contract_op(code, operator.address, about, SALT)
    )
    token = scval.from_address(made).address
    return Asset(CODE, token, token)


def deploy(founded: Founded) -> None:
    for step in founded.deploying.steps():
        if step.act is not None:
            step.act()
