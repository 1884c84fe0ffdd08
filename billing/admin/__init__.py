"""Staff's view of money, by Django's view permission; a provider, who has none, sees nothing.

From a payment one gets to its transaction, purchase, quote, price, grant, use and audit entries,
and back. One module a resource.
"""

from billing.admin import audit, channels, discrepancies, keys, payments, purchases, trails

__all__ = ["audit", "channels", "discrepancies", "keys", "payments", "purchases", "trails"]
