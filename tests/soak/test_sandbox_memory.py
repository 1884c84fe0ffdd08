"""The sandbox keeps a ledger's entries and nothing of the calls that made them.

Each purchase runs the contract three times: to tell the buyer what it needs, to check what was
signed, and in the ledger. The memory that a run has is given back with it.
"""

import secrets
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from django.conf import settings

from billing.rails.port import Envelope, Order, Sent, SignatureOffered, Slot
from billing.rails.stellar import StellarRail
from marketplace import quoting
from tests.billing.buying import quote_for
from tests.billing.stepped import LEDGER_S, couple, stepped_sandbox
from tests.sandboxes import RunningSandbox

CHANNELS = 10
WARM_LEDGERS = 20
KIB_A_PURCHASE = 4  # Its marks in the ledger: that it was used, its nonce for a while.


def resident_kib(sandbox: RunningSandbox) -> int:
    lines = Path(f"/proc/{sandbox.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def sell_by_ledgers(sandbox: RunningSandbox) -> Iterator[int]:
    """A purchase on each channel and the close of the ledger; how many were sold so far."""
    rail = StellarRail(
        settings.CHAIN,
        sandbox.url,
        quote_signers=[quoting.signer_public_key()],
        channel_key=b"memory".ljust(32),
    )
    buyer, payee = couple(sandbox, "memory")
    channels = [rail.channel(index) for index in range(CHANNELS)]
    rail.fund([channel.address for channel in channels])
    sold = 0
    with httpx.Client(base_url=sandbox.url, timeout=60) as http:
        while True:
            asked = {"count": 1, "seconds": LEDGER_S}
            now_s = http.post("/ledgers", json=asked).raise_for_status().json()["now"]
            quote = quote_for(payee.address, amount=1, expires_at=now_s + 600)
            for channel in channels:
                order = Order(secrets.token_bytes(32), buyer.address, buyer.key, quote)
                asked_for = rail.instruct(order, callback="http://localhost/", now_s=now_s)
                signed = SignatureOffered(buyer.address, buyer.sign(asked_for.signing_hash))
                known = rail.channel_state(channel.address)
                assert known is not None
                slot = Slot(channel, known.sequence + 1, now_s + 45)
                built = rail.build(order, rail.authorize(order, asked_for, signed), slot)
                assert isinstance(built, Envelope), built
                assert rail.send(built.body).sent is Sent.ACCEPTED
            sold += CHANNELS
            yield sold


def sell(sandbox: RunningSandbox, count: int) -> None:
    """And look at what memory that took, once the first purchases have warmed it up."""
    at_first = sold_first = 0
    for ledgers, sold in enumerate(sell_by_ledgers(sandbox), 1):
        if ledgers == WARM_LEDGERS:
            at_first, sold_first = resident_kib(sandbox), sold
        if sold >= count:
            break
    grown = resident_kib(sandbox) - at_first
    print(f"{sold} purchases: {at_first} KiB, then {grown} more")  # noqa: T201
    assert grown <= KIB_A_PURCHASE * (sold - sold_first)


@pytest.mark.soak
def test_thousands_of_purchases_leave_nothing_in_memory(tmp_path: Path) -> None:
    with stepped_sandbox(tmp_path) as sandbox:
        sell(sandbox, 3_000)
