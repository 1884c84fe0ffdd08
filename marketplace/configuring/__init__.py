"""The whole configuration of a provider as one document: exported, compared, applied, kept.

    document = configuring.export(provider)
    plan = configuring.plan(provider, document)          # what would change, in words
    configuring.apply(plan, actor="alba", reason="spring prices", now=now)

A document says all that the provider's shop is: what it leaves out has its default, and what is
not in it is sold no more. Secrets, host names and the payout address are not part of it: they keep
what they are. A bad document changes nothing.
"""

from marketplace.configuring.applying import apply
from marketplace.configuring.exporting import export
from marketplace.configuring.history import history
from marketplace.configuring.planning import Plan, Refused, plan, read
from marketplace.configuring.schema import schema

__all__ = ["Plan", "Refused", "apply", "export", "history", "plan", "read", "schema"]
