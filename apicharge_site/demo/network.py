"""What the demo asks of the Stellar network, through the unmodified SDK."""

import httpx
from stellar_sdk import Asset, Keypair, SorobanServer, xdr


class Network:
    def __init__(self, rpc_url: str) -> None:
        self._rpc_url = rpc_url
        self._rpc = SorobanServer(rpc_url)

    def close(self) -> None:
        self._rpc.close()

    def fund(self, address: str, asset: str) -> None:
        """An account with play money, from the sandbox's friendbot."""
        asked = {"addr": address, "asset": asset}
        httpx.get(f"{self._rpc_url}/friendbot", params=asked, timeout=40).raise_for_status()

    def balance(self, address: str, code: str, issuer: str) -> int:
        """Base units of the asset that the account's trustline holds."""
        asset = Asset(code, issuer)
        line = xdr.LedgerKeyTrustLine(
            account_id=Keypair.from_public_key(address).xdr_account_id(),
            asset=asset.to_trust_line_asset_xdr_object(),
        )
        key = xdr.LedgerKey(xdr.LedgerEntryType.TRUSTLINE, trust_line=line)
        entries = self._rpc.get_ledger_entries([key]).entries or []
        if not entries:
            return 0
        found = xdr.LedgerEntryData.from_xdr(entries[0].xdr).trust_line
        assert found is not None
        return found.balance.int64
