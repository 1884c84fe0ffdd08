"""What is bid for a place in a ledger: the network's 90th percentile, within a cap.

When the network says that a bid was too low, bids double for a while. The cap holds whatever the
network says: a purchase then waits, and lapses at worst.
"""

import time

from billing.domain.errors import NetworkUnavailable
from billing.rails.stellar.envelopes import BASE_FEE
from billing.rails.stellar.rpc import Rpc

KNOWN_FOR_S = 10.0
RAISED_FOR_S = 60.0


class Fees:
    def __init__(self, rpc: Rpc, *, cap: int) -> None:
        self._rpc = rpc
        self._cap = max(cap, BASE_FEE)
        self._read = (-KNOWN_FOR_S, BASE_FEE)
        self._floor = (0.0, BASE_FEE)

    def bid(self) -> int:
        """In stroops, for one operation."""
        now = time.monotonic()
        read_at, fee = self._read
        if now - read_at >= KNOWN_FOR_S:
            try:
                fee = self._rpc.inclusion_fee_p90()
            except NetworkUnavailable:
                pass  # The last answer will do.
            else:
                self._read = (now, fee)
        until, floor = self._floor
        return min(self._cap, max(BASE_FEE, fee, floor if now < until else 0))

    def too_low(self) -> None:
        self._floor = (time.monotonic() + RAISED_FOR_S, min(self._cap, 2 * self.bid()))
