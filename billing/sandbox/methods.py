"""The methods of a Stellar RPC node, over the sandbox's one node."""

import base64
import time
from collections.abc import Callable, Mapping

from stellar_sdk import xdr

from billing.sandbox import envelopes, network, simulating
from billing.sandbox.decoding import UNREADABLE
from billing.sandbox.envelopes import Envelope, EnvelopeError
from billing.sandbox.events import b64
from billing.sandbox.history import History
from billing.sandbox.host import Closing
from billing.sandbox.jsonrpc import Method, Params, bad_params
from billing.sandbox.node import Node, Submitted
from billing.sandbox.past import Seen
from billing.sandbox.resources import INSTRUCTIONS_MAX
from billing.sandbox.simulating import Mode
from billing.sandbox.storage import Document, Json

KEYS_MAX = 200
PERCENTILES = (10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 99)
FEE_STATS_LEDGERS = 50
NO_EXTENSION = b64(xdr.LedgerEntryExt(0))


class Methods:
    """What is sent goes to `node`; everything else is told as `seen`."""

    def __init__(
        self,
        node: Node,
        *,
        friendbot_url: str,
        clock: Callable[[], float] = time.time,
        seen: Seen | None = None,
    ) -> None:
        self.node = node
        self.seen: Seen = node if seen is None else seen
        self.friendbot_url = friendbot_url
        self.clock = clock
        self.history = History(self.seen)

    def table(self) -> Mapping[str, Method]:
        return {
            "getEvents": self.history.get_events,
            "getFeeStats": self.get_fee_stats,
            "getHealth": self.get_health,
            "getLatestLedger": self.history.get_latest_ledger,
            "getLedgerEntries": self.get_ledger_entries,
            "getLedgers": self.history.get_ledgers,
            "getNetwork": self.get_network,
            "getTransaction": self.history.get_transaction,
            "getTransactions": self.history.get_transactions,
            "getVersionInfo": self.get_version_info,
            "sendTransaction": self.send_transaction,
            "simulateTransaction": self.simulate_transaction,
        }

    def get_health(self, _params: Params) -> Document:
        latest, oldest = self.seen.latest, self.seen.storage.oldest()
        return {
            "status": "healthy",
            "latestLedger": latest.sequence,
            "latestLedgerCloseTime": str(latest.closed_at),
            "oldestLedger": self.seen.oldest,
            "oldestLedgerCloseTime": str(oldest.closed_at),
            "ledgerRetentionWindow": network.RETENTION_LEDGERS,
        }

    def get_network(self, _params: Params) -> Document:
        return {
            "friendbotUrl": self.friendbot_url,
            "passphrase": network.PASSPHRASE,
            "protocolVersion": network.PROTOCOL,
        }

    def get_version_info(self, _params: Params) -> Document:
        return {
            "version": "apicharge-sandbox",
            "commitHash": "",
            "buildTimestamp": "",
            "captiveCoreVersion": "none: a network in a box",
            "protocolVersion": network.PROTOCOL,
        }

    def get_fee_stats(self, _params: Params) -> Document:
        """Nobody outbids anybody here, so every percentile is the base fee."""
        fee = str(network.BASE_FEE_STROOPS)
        named = ("max", "min", "mode", *(f"p{percent}" for percent in PERCENTILES))
        stats: Document = dict.fromkeys(named, fee)
        stats |= {"transactionCount": "0", "ledgerCount": FEE_STATS_LEDGERS}
        return {
            "sorobanInclusionFee": stats,
            "inclusionFee": stats,
            "latestLedger": self.seen.latest.sequence,
        }

    def get_ledger_entries(self, params: Params) -> Document:
        keys = params.texts("keys", KEYS_MAX)
        found: list[Json] = []
        for key in keys:
            entry = self._entry(key)
            if entry is not None:
                found.append(entry)
        return {"entries": found, "latestLedger": self.seen.latest.sequence}

    def _entry(self, text: str) -> Document | None:
        try:
            key = xdr.LedgerKey.from_xdr(text)
        except UNREADABLE:
            bad_params(f"cannot unmarshal key value {text[:100]}")
        if key.type == xdr.LedgerEntryType.TTL:
            bad_params("ledger ttl entries cannot be queried directly")
        entry = self.seen.view().find(key.to_xdr_bytes())
        if entry is None:
            return None
        told: Document = {
            "key": b64(key),
            "xdr": base64.b64encode(entry.data).decode(),
            "lastModifiedLedgerSeq": entry.modified,
            "extXdr": NO_EXTENSION,
        }
        if entry.live_until is not None:
            told["liveUntilLedgerSeq"] = entry.live_until
        return told

    def simulate_transaction(self, params: Params) -> Document:
        latest = self.seen.latest
        try:
            envelope = _read(params.needed_text("transaction"))
        except EnvelopeError:
            return {"error": "Could not unmarshal transaction", "latestLedger": latest.sequence}
        mode = params.text("authMode") or ""
        if mode not in set(Mode):
            bad_params(f"authMode {mode[:40]!r} is not known")
        leeway = params.object("resourceConfig").number("instructionLeeway") or 0
        if not 0 <= leeway <= INSTRUCTIONS_MAX:
            bad_params(f"instructionLeeway must be between 0 and {INSTRUCTIONS_MAX}")
        return simulating.simulate(
            envelope,
            below=self.seen.view(),
            closing=Closing(latest.sequence, max(latest.closed_at, int(self.clock()))),
            mode=Mode(mode),
            upgraded=params.flag("useUpgradedAuth"),
            leeway=leeway,
        )

    def send_transaction(self, params: Params) -> Document:
        envelope = self.envelope(params)
        return self.receipt(envelope, self.submit(envelope))

    def envelope(self, params: Params) -> Envelope:
        try:
            return _read(params.needed_text("transaction"))
        except EnvelopeError:
            bad_params("invalid_xdr")

    def submit(self, envelope: Envelope) -> Submitted:
        return self.node.submit(envelope, now_s=self.clock())

    def receipt(self, envelope: Envelope, submitted: Submitted) -> Document:
        latest = self.seen.latest
        told: Document = {
            "status": submitted.status.value,
            "hash": envelope.hash.hex(),
            "latestLedger": latest.sequence,
            "latestLedgerCloseTime": str(latest.closed_at),
        }
        if submitted.result is not None:
            told["errorResultXdr"] = b64(submitted.result)
        return told


def _read(text: str) -> Envelope:
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError as problem:
        raise EnvelopeError("not base64") from problem
    return envelopes.read(raw)
