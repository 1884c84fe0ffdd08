"""What a contract call costs: a plain price list in the order of magnitude of the real network's.

The price is known from what the transaction declares, so that simulation and the ledger agree. What
is declared beyond it is given back, as the network gives back the refundable part.
"""

from stellar_sdk import xdr

INSTRUCTIONS_BASE = 1_500_000
INSTRUCTIONS_PER_ENTRY = 250_000
INSTRUCTIONS_MAX = 100_000_000
WRITES_MAX = 50

STROOPS_PER_10K_INSTRUCTIONS = 25
STROOPS_PER_READ = 6_250
STROOPS_PER_WRITE = 10_000
STROOPS_PER_WRITTEN_KIB = 11_800
STROOPS_PER_CALL = 20_000  # History, bandwidth and events.


def price_stroops(resources: xdr.SorobanResources) -> int:
    footprint = resources.footprint
    writes = len(footprint.read_write)
    reads = len(footprint.read_only) + writes
    instructions = resources.instructions.uint32 * STROOPS_PER_10K_INSTRUCTIONS // 10_000
    written = -(-resources.write_bytes.uint32 * STROOPS_PER_WRITTEN_KIB // 1024)
    entries = reads * STROOPS_PER_READ + writes * STROOPS_PER_WRITE
    return STROOPS_PER_CALL + instructions + entries + written


def within_limits(resources: xdr.SorobanResources) -> bool:
    return (
        resources.instructions.uint32 <= INSTRUCTIONS_MAX
        and len(resources.footprint.read_write) <= WRITES_MAX
    )


def of_footprint(
    reads: list[xdr.LedgerKey], writes: list[xdr.LedgerKey], *, read_bytes: int, write_bytes: int
) -> xdr.SorobanResources:
    instructions = INSTRUCTIONS_BASE + INSTRUCTIONS_PER_ENTRY * (len(reads) + len(writes))
    return xdr.SorobanResources(
        xdr.LedgerFootprint(reads, writes),
        xdr.Uint32(instructions),
        xdr.Uint32(read_bytes),
        xdr.Uint32(write_bytes),
    )
