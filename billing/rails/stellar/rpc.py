"""The Stellar RPC node, with time limits. Whatever it does wrong is `NetworkUnavailable`.

A question is asked again once when its connection was lost: it may have been idle for too long.
Sending is not, because whoever sends must know how often: it is repeated by the rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
import requests
from pydantic import ValidationError
from stellar_sdk import (
    Address,
    InvokeHostFunction,
    SorobanServer,
    TransactionEnvelope,
    xdr,
)
from stellar_sdk.client.requests_client import RequestsClient
from stellar_sdk.exceptions import ConnectionError as ConnectionLost
from stellar_sdk.exceptions import SdkError, SorobanRpcErrorResponse
from stellar_sdk.soroban_rpc import (
    AuthMode,
    EventFilter,
    EventFilterType,
    GetEventsRequest,
    GetEventsResponse,
    GetLedgerEntriesRequest,
    GetTransactionRequest,
    GetTransactionResponse,
    Request,
    Response,
    SendTransactionRequest,
    SendTransactionResponse,
    SimulateTransactionRequest,
    SimulateTransactionResponse,
)

from billing.domain.errors import NetworkUnavailable

READ_SECONDS = 10
FAUCET_SECONDS = 30.0
CONNECTIONS = 16
LEDGERS_PER_CALL_MAX = 10_000
EVENTS_PER_PAGE = 1_000
OUT_OF_RANGE = -32600
LOOPBACK = {"127.0.0.1", "::1", "localhost"}

T = TypeVar("T")
# The SDK names these anew for each question, and pydantic builds anew what nobody holds on to: that
# takes longer than to ask.
HELD = (
    Request[GetEventsRequest],
    Request[GetLedgerEntriesRequest],
    Request[GetTransactionRequest],
    Request[SendTransactionRequest],
    Request[SimulateTransactionRequest],
    Response[Any],
)
# The SDK asserts what a broken node leaves out.
_FAULTS = (SdkError, requests.RequestException, ValidationError, ValueError, AssertionError)


class OutOfRange(Exception):
    """The node does not keep the ledgers that were asked for."""


@dataclass(frozen=True, slots=True)
class Entries:
    found: dict[str, xdr.LedgerEntryData]  # By the key's XDR.
    latest_ledger: int


class Rpc:
    def __init__(self, url: str) -> None:
        session = requests.Session()
        # A proxy that is meant for the outside must not be asked for this machine's sandbox.
        session.trust_env = urlsplit(url).hostname not in LOOPBACK
        for scheme in ("http://", "https://"):
            adapter = requests.adapters.HTTPAdapter(pool_maxsize=CONNECTIONS)
            session.mount(scheme, adapter)
        self._server = SorobanServer(
            url,
            RequestsClient(
                session=session, request_timeout=READ_SECONDS, post_timeout=READ_SECONDS
            ),
        )

    def entries(self, keys: Sequence[xdr.LedgerKey]) -> Entries:
        response = _ask(lambda: self._server.get_ledger_entries(list(keys)))
        found = {
            entry.key: xdr.LedgerEntryData.from_xdr(entry.xdr) for entry in response.entries or []
        }
        return Entries(found, response.latest_ledger)

    def has(self, key: xdr.LedgerKey) -> bool:
        return key.to_xdr() in self.entries([key]).found

    def simulate(
        self, envelope: TransactionEnvelope, *, enforce: bool
    ) -> SimulateTransactionResponse:
        mode = AuthMode.ENFORCE if enforce else AuthMode.RECORD
        return _ask(
            lambda: self._server.simulate_transaction(
                envelope, auth_mode=mode, use_upgraded_auth=False
            )
        )

    def assembled(
        self, draft: TransactionEnvelope, simulated: SimulateTransactionResponse
    ) -> TransactionEnvelope:
        """The draft, which has the simulation's footprint, resource fee and authorization now.

        Asks nobody. The SDK's own copies the draft first, which takes longer than all the rest.
        """
        return _ask(lambda: _assemble(draft, simulated))

    def send(self, body: str) -> SendTransactionResponse:
        return _ask(lambda: self._server.send_transaction(body), once=True)

    def transaction(self, tx_hash: str) -> GetTransactionResponse:
        return _ask(lambda: self._server.get_transaction(tx_hash))

    def inclusion_fee_p90(self) -> int:
        return int(_ask(self._server.get_fee_stats).soroban_inclusion_fee.p90)

    def oldest_ledger(self) -> int:
        # getHealth names it; the SDK's model has it as an integer.
        return int(_ask(self._server.get_health).oldest_ledger or 0)

    def events(
        self, contract: str, topics: Sequence[str], *, cursor: str = "", start: int = 0
    ) -> GetEventsResponse:
        filters = [
            EventFilter(
                type=EventFilterType.CONTRACT,
                contractIds=[contract],
                topics=[list(topics)],
            )
        ]
        try:
            return _ask(
                lambda: self._server.get_events(
                    start_ledger=None if cursor else start,
                    filters=filters,
                    cursor=cursor or None,
                    limit=EVENTS_PER_PAGE,
                ),
                out_of_range=True,
            )
        except SorobanRpcErrorResponse as exc:
            raise OutOfRange(str(exc)) from exc

    def protocol(self) -> int:
        return int(_ask(self._server.get_network).protocol_version)

    def has_faucet(self) -> bool:
        return bool(_ask(self._server.get_network).friendbot_url)

    def latest_ledger(self) -> int:
        return int(_ask(self._server.get_latest_ledger).sequence)

    def ask_faucet(self, address: str) -> bool:
        url = _ask(self._server.get_network).friendbot_url
        if not url:
            return False
        trust = urlsplit(url).hostname not in LOOPBACK
        try:
            answer = httpx.get(
                url, params={"addr": address}, timeout=FAUCET_SECONDS, trust_env=trust
            )
        except httpx.HTTPError as exc:
            raise NetworkUnavailable(f"The faucet does not answer: {exc}") from exc
        return answer.is_success


def _assemble(
    draft: TransactionEnvelope, simulated: SimulateTransactionResponse
) -> TransactionEnvelope:
    call = draft.transaction.operations[0]
    results = simulated.results or []
    if (
        simulated.transaction_data is None
        or simulated.min_resource_fee is None
        or len(results) != 1
    ):
        raise ValueError("the simulation of a call names what it needs")
    assert isinstance(call, InvokeHostFunction)  # We built it.
    if not call.auth:
        told = results[0].auth or []
        call.auth = [xdr.SorobanAuthorizationEntry.from_xdr(entry) for entry in told]
    transaction = draft.transaction
    transaction.soroban_data = xdr.SorobanTransactionData.from_xdr(simulated.transaction_data)
    transaction.fee += simulated.min_resource_fee
    return draft


def _ask(call: Callable[[], T], *, out_of_range: bool = False, once: bool = False) -> T:
    try:
        try:
            return call()
        except ConnectionLost:
            if once:
                raise
            return call()
    except SorobanRpcErrorResponse as exc:
        if out_of_range and exc.code == OUT_OF_RANGE:
            raise
        raise NetworkUnavailable(f"The network's node refused: {exc.message}") from exc
    except _FAULTS as exc:
        raise NetworkUnavailable("The network's node does not answer.", retry_after_s=2) from exc


def account_key(address: str) -> xdr.LedgerKey:
    return xdr.LedgerKey(
        xdr.LedgerEntryType.ACCOUNT,
        account=xdr.LedgerKeyAccount(_account_id(address)),
    )


def trustline_key(address: str, asset: xdr.TrustLineAsset) -> xdr.LedgerKey:
    return xdr.LedgerKey(
        xdr.LedgerEntryType.TRUSTLINE,
        trust_line=xdr.LedgerKeyTrustLine(_account_id(address), asset),
    )


def _account_id(address: str) -> xdr.AccountID:
    account = Address(address).to_xdr_sc_address().account_id
    if account is None:
        raise ValueError(f"{address} is not an account")
    return account
