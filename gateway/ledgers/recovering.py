"""The leases of the dead.

A process whose journal can be locked is dead. What its journal does not show as spent goes back,
once: the node's row is the token, and who deletes it has settled its leases in the same
transaction. A journal of another boot proves nothing, so there nothing goes back by itself; after
the lease time staff may credit it.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

from django.db import connection, transaction

from gateway.journal import open_dead
from gateway.ledgers.port import Node
from gateway.ledgers.rows import Rows
from gateway.ledgers.settling import spend
from gateway.models import GatewayNode, Lease, LimiterLedger

logger = logging.getLogger(__name__)


def recover(node: Node) -> int:
    """Settle what the dead processes of this machine left. Units given back."""
    others = GatewayNode.objects.filter(boot_id=node.boot_id).exclude(pk=node.id)
    return sum(
        _recover_one(node_id, Path(journal), node.boot_id)
        for node_id, journal in others.values_list("pk", "journal")
    )


def _recover_one(node_id: UUID, journal_path: Path, boot: str) -> int:
    journal = open_dead(journal_path, node_id, boot)
    if journal is None:
        return 0
    settled = False
    try:
        with transaction.atomic():
            units = settle_node(node_id, lambda lease: journal.spent(lease.slot))
        settled = True
    finally:
        journal.release(remove=settled)
    logger.warning("Process %s had died: %d leased units went back.", node_id, units)
    return units


def settle_node(node_id: UUID, spent_of: Callable[[Lease], int]) -> int:
    """Give back what is not spent and delete the node; in a transaction. 0 when it is gone."""
    nodes = GatewayNode.objects.select_for_update().filter(pk=node_id)
    if not nodes:
        return 0
    leases = list(Lease.objects.filter(node_id=node_id))
    limiters = (
        LimiterLedger.objects.select_for_update(no_key=True)
        .filter(pk__in={lease.limiter_id for lease in leases})
        .order_by("pk")
    )
    rest = dict.fromkeys((lease.limiter_id for lease in leases), 0)
    for lease in leases:
        # A count above the amount cannot be; if it is, all of the lease counts as spent.
        rest[lease.limiter_id] += max(0, lease.amount - spent_of(lease))
    spend(Rows(connection), ((limiter, -rest[limiter.pk], 0) for limiter in limiters))
    Lease.objects.filter(node_id=node_id).delete()
    GatewayNode.objects.filter(pk=node_id).delete()
    return sum(rest.values())
