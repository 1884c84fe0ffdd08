"""The slots that a buyer's open instructions take: so many, and none for strangers alone.

Whoever asks for an instruction has not shown that the buyer's account is theirs. So when all slots
are taken, an instruction that is asked for from elsewhere takes over the oldest slot of the client
network that has the most, as long as it does not have as many itself then. Who lost the slot keeps
the instruction: signed by the buyer, it is as good as any.
"""

from collections import Counter
from dataclasses import dataclass

from billing.models import OPEN_PER_BUYER, Purchase


@dataclass(frozen=True, slots=True)
class Slot:
    number: int
    held_by: str = ""
    """The purchase that has it until then."""

    def leave(self) -> None:
        Purchase.objects.filter(pk=self.held_by, open_slot=self.number).update(open_slot=None)


def open_to(buyer: str, client_network: str) -> list[Slot]:
    """Where a new instruction may go; nowhere else."""
    taken = Purchase.objects.filter(buyer=buyer, open_slot__isnull=False).order_by("created_at_s")
    held = list(taken.values_list("open_slot", "client_network", "pk"))
    free = set(range(OPEN_PER_BUYER)) - {number for number, _, _ in held}
    if free:
        return [Slot(number) for number in sorted(free)]
    count = Counter(network for _, network, _ in held)
    [(most, slots)] = count.most_common(1)
    if slots < count[client_network] + 2:
        return []
    return [Slot(number or 0, pk) for number, network, pk in held if network == most][:1]
