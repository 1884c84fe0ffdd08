"""A sandbox network in this process, with people on it and the ledger clock in the test's hand."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stellar_sdk import (
    Account,
    Asset,
    Keypair,
    Operation,
    Payment,
    SorobanServer,
    TransactionBuilder,
    TransactionEnvelope,
    scval,
    xdr,
)
from stellar_sdk.auth import authorize_entry
from stellar_sdk.client.base_sync_client import BaseSyncClient
from stellar_sdk.client.response import Response
from stellar_sdk.soroban_rpc import GetTransactionResponse, SimulateTransactionResponse

from billing.sandbox import envelopes, jsonrpc, network
from billing.sandbox.envelopes import Envelope
from billing.sandbox.friendbot import Friendbot, Funded
from billing.sandbox.methods import Methods
from billing.sandbox.node import Node, Submitted
from billing.sandbox.storage import Storage
from tests.billing.sandbox.quoting import Quote

START_S = 1_790_000_000
USDC = network.ASSETS["USDC"]
USDC_SAC = USDC.contract_id(network.PASSPHRASE)
UNIT = 10_000_000
SEND_FEE = 1_000


def person(number: int) -> Keypair:
    return Keypair.from_raw_ed25519_seed(bytes([number]) * 32)


SIGNER, BUYER, PAYEE, TREASURY, SERVER, STRANGER = (person(number) for number in range(1, 7))


class InProcess(BaseSyncClient):
    """The SDK's transport port, without a socket."""

    def __init__(self, town: "Town") -> None:
        self.town = town

    def post(self, url: str, data: object = None, json_data: object = None) -> Response:
        body = json.dumps(json_data).encode()
        answer = jsonrpc.answer(body, self.town.methods.table())
        return Response(200, json.dumps(answer), {}, url)

    def get(self, url: str, params: object = None) -> Response:
        raise AssertionError("The RPC takes posts only.")

    def stream(self, url: str, params: object = None) -> object:
        raise AssertionError("The RPC has no streams.")

    def close(self) -> None:
        pass


@dataclass
class Town:
    home: Path
    signers: Sequence[bytes] = (SIGNER.raw_public_key(),)
    now_s: float = START_S
    storage: Storage = field(init=False)
    node: Node = field(init=False)
    methods: Methods = field(init=False)
    rpc: SorobanServer = field(init=False)

    def __post_init__(self) -> None:
        self.open()

    def open(self) -> None:
        self.storage = Storage(self.home / "sandbox.sqlite3")
        self.node = Node(self.storage, now_s=self.now_s, signers=self.signers)
        self.methods = Methods(self.node, friendbot_url="", clock=lambda: self.now_s)
        self.rpc = SorobanServer("http://in.process", InProcess(self))

    def reopen(self) -> None:
        """As a new process would find it."""
        self.storage.close()
        self.open()

    def close(self, *, seconds: float = 1) -> None:
        self.now_s += seconds
        self.node.close(self.now_s)

    def fund(self, who: Keypair, *assets: str) -> None:
        friendbot = Friendbot(self.node)
        for asset in assets or (None,):
            assert isinstance(friendbot.begin(who.public_key, asset), Funded)
            self.close()

    def settle_people(self) -> None:
        self.fund(SERVER)
        self.fund(STRANGER)
        for who in (BUYER, PAYEE, TREASURY):
            self.fund(who, "USDC")

    def balance(self, who: Keypair, asset: Asset = USDC) -> int:
        line = self.node.view().trustline(who.public_key, asset)
        assert line is not None
        return line.balance.int64

    def lumens(self, who: Keypair) -> int:
        account = self.node.view().account(who.public_key)
        assert account is not None
        return account.balance.int64

    def sequence(self, who: Keypair) -> int:
        account = self.node.view().account(who.public_key)
        assert account is not None
        return account.seq_num.sequence_number.int64

    def classic(
        self, who: Keypair, *operations: Operation, also: Sequence[Keypair] = (), sequence: int = 0
    ) -> Envelope:
        builder = TransactionBuilder(
            Account(who.public_key, sequence or self.sequence(who)), network.PASSPHRASE, SEND_FEE
        )
        for operation in operations:
            builder.append_operation(operation)
        return signed(builder.add_time_bounds(0, 0).build(), who, *also)

    def pay(self, who: Keypair, to: Keypair, units: str = "1", asset: Asset = USDC) -> Envelope:
        return self.classic(who, Payment(to.public_key, asset, units))

    def submit(self, envelope: Envelope) -> Submitted:
        return self.node.submit(envelope, now_s=self.now_s)

    def apply(self, envelope: Envelope) -> GetTransactionResponse:
        """Into the next ledger; what getTransaction then tells."""
        submitted = self.submit(envelope)
        assert submitted.status.value == "PENDING", submitted
        self.close()
        return self.rpc.get_transaction(envelope.hash.hex())

    # The purchase, as the product makes it.

    def quote(self, **changes: object) -> Quote:
        terms: dict[str, object] = {
            "access_seconds": 3600,
            "amount": 25_000_000,
            "asset": USDC_SAC,
            "expires_at": int(self.now_s) + 600,
            "fee": 250_000,
            "payee": PAYEE.public_key,
            "terms": bytes(32),
            "treasury": TREASURY.public_key,
        }
        return Quote(**(terms | changes))  # type: ignore[arg-type]

    def purchase(self, quote: Quote | None = None, **changes: object) -> list[xdr.SCVal]:
        """The arguments; `changes` replace what an honest server would have put there."""
        quote = quote or self.quote()
        given: dict[str, object] = {
            "buyer": BUYER.public_key,
            "signer": SIGNER.raw_public_key(),
            "signature": SIGNER.sign(quote.digest(network.CONTRACT)),
            "purchase_id": bytes([7]) * 32,
            "access_key": BUYER.raw_public_key(),
        } | changes
        return [
            scval.to_address(str(given["buyer"])),
            quote.to_scval(),
            *(
                scval.to_bytes(given[name])  # type: ignore[arg-type]
                for name in ("signer", "signature", "purchase_id", "access_key")
            ),
        ]

    def call(
        self,
        arguments: Sequence[xdr.SCVal],
        auth: Sequence[xdr.SorobanAuthorizationEntry] = (),
        *,
        contract: str = network.CONTRACT,
        function: str = "purchase",
        source: Keypair = SERVER,
    ) -> TransactionEnvelope:
        account = Account(source.public_key, self.sequence(source))
        builder = TransactionBuilder(account, network.PASSPHRASE, SEND_FEE)
        builder.append_invoke_contract_function_op(
            contract, function, list(arguments), list(auth) or None
        )
        return builder.add_time_bounds(0, int(self.now_s) + 300).build()

    def simulate(self, te: TransactionEnvelope, **options: bool) -> SimulateTransactionResponse:
        return self.rpc.simulate_transaction(te, **options)

    def authorization(
        self, arguments: Sequence[xdr.SCVal], *, upgraded: bool = False
    ) -> xdr.SorobanAuthorizationEntry:
        """What the buyer is asked to sign."""
        simulated = self.simulate(self.call(arguments), use_upgraded_auth=upgraded)
        assert simulated.error is None, simulated.error
        assert simulated.results
        assert simulated.results[0].auth
        return xdr.SorobanAuthorizationEntry.from_xdr(simulated.results[0].auth[0])

    def authorize(
        self,
        entry: xdr.SorobanAuthorizationEntry,
        *,
        by: Keypair = BUYER,
        for_ledgers: int = 100,
    ) -> xdr.SorobanAuthorizationEntry:
        until = self.node.latest.sequence + for_ledgers
        return authorize_entry(entry, by, until, network.PASSPHRASE)

    def send_call(
        self,
        arguments: Sequence[xdr.SCVal],
        auth: xdr.SorobanAuthorizationEntry,
        *,
        like: xdr.SorobanAuthorizationEntry | None = None,
    ) -> GetTransactionResponse:
        """Apply a call as it is, with the resources that the same call with `like` would need.

        So a bad entry reaches the ledger and is not already turned away by simulation.
        """
        model = self.simulate(self.call(arguments, [like or auth]))
        te = self.call(arguments, [auth])
        assert model.transaction_data is not None, model.error
        data = xdr.SorobanTransactionData.from_xdr(model.transaction_data)
        te.transaction.soroban_data = data
        te.transaction.fee = SEND_FEE + data.resource_fee.int64
        return self.apply(signed(te, SERVER))

    def buy(
        self, arguments: Sequence[xdr.SCVal], *, upgraded: bool = False
    ) -> GetTransactionResponse:
        return self.send_call(
            arguments, self.authorize(self.authorization(arguments, upgraded=upgraded))
        )


def signed(te: TransactionEnvelope, *signers: Keypair) -> Envelope:
    for signer in signers:
        te.sign(signer)
    return envelopes.read(te.to_xdr_object().to_xdr_bytes())


def code_of(response: GetTransactionResponse) -> str:
    assert response.result_xdr is not None
    return xdr.TransactionResult.from_xdr(response.result_xdr).result.code.name


def why(response: GetTransactionResponse) -> str:
    """The error of a failed call, as its diagnostic event tells: `Error(Auth, ExistingValue)`."""
    assert response.diagnostic_events_xdr
    body = xdr.DiagnosticEvent.from_xdr(response.diagnostic_events_xdr[0]).event.body.v0
    assert body is not None
    error = body.topics[1].error
    assert error is not None
    kind = error.type.name.removeprefix("SCE_").title().replace("_", "")
    if error.contract_code is not None:
        return f"Error({kind}, #{error.contract_code.uint32})"
    assert error.code is not None
    words = error.code.name.removeprefix("SCEC_").title().replace("_", "")
    return f"Error({kind}, {words})"
