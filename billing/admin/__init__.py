"""Staff's view of money, by Django's view permission; a provider, who has none, sees nothing.

From a payment one gets to its transaction, purchase, quote, price, grant, use and audit entries,
and back. One module a resource.
"""

from billing.admin import (
    audit,
    channels,
    dashboard,
    discrepancies,
    grants,
    keys,
    payments,
    purchases,
    queue,
    refunds,
    starting,
    status,
    suspensions,
    trails,
    vouchers,
    webhooks,
    wishes,
)

__all__ = ["audit", "channels", "dashboard", "discrepancies", "grants", "keys"]
__all__ += ["payments", "purchases", "queue", "refunds", "starting", "status", "suspensions"]
__all__ += ["trails", "vouchers", "webhooks", "wishes"]
