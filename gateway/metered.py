"""The pump's one rule, for every protocol: bytes are taken from the reservation before they pass.

At most 64 KiB at a time, and what the reservation does not grant is not passed on: the last chunk
is shortened to the byte. A message passes whole or not at all: what it costs is taken at once, of
every limit, or it is neither delivered nor charged.
"""

from gateway.domain.errors import GateFault
from gateway.domain.exchange import End
from gateway.domain.limits import Direction
from gateway.terms import Terms

CHUNK_BYTES_MAX = 64 * 1024


async def granted(terms: Terms, direction: Direction, wanted: int) -> int:
    """At least one byte, or the end of the exchange."""
    reservation = terms.reservation
    wanted = min(wanted, CHUNK_BYTES_MAX)
    some = reservation.take_bytes(direction, wanted)
    if not some:
        some = await reservation.wait_bytes(direction, wanted)
    if not some:
        raise GateFault(End.EXHAUSTED, "The data that the grant holds is used up.")
    return some


async def granted_whole(terms: Terms, direction: Direction, size: int, count: int = 1) -> None:
    """All that `count` messages of `size` bytes cost, or the end of the exchange."""
    refused = await terms.reservation.wait_message(direction, size, count)
    if refused is not None:
        of = f" of {refused.limit.words()}" if refused.limit else ""
        raise GateFault(End.EXHAUSTED, f"Not enough is left{of} for this message.")
