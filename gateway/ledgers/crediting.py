"""What a lost machine had leased, given back because staff decided so.

Nobody can know how much of it was served. Its last word is in the lease rows, at most two seconds
of use old, or what is leased to who uses little: a thousandth of what was left, 64 quanta at most.
All above that is credited. Only after the lease time: from half of it on the machine, should it
still run, spends nothing, and when it comes back it finds its node gone.
"""

from uuid import UUID

from django.db import connection, transaction

from gateway.ledgers.connecting import database_clock
from gateway.ledgers.port import LEASE_TIME_S
from gateway.ledgers.recovering import settle_node
from gateway.models import GatewayNode


class NotLost(Exception):
    """The node was heard within the lease time."""


def credit_lost(node_id: UUID) -> int:
    """Units credited; 0 when its leases were settled before."""
    with transaction.atomic():
        silent_since_s = database_clock(connection) - LEASE_TIME_S
        # Locked: a node that beats now does so before or after, not between check and credit.
        nodes = GatewayNode.objects.select_for_update().filter(pk=node_id)
        if any(node.heartbeat_at > silent_since_s for node in nodes):
            raise NotLost
        return settle_node(node_id, lambda lease: lease.spent)
