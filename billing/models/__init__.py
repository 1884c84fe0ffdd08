"""The rows of billing. The database holds what the code assumes: one purchase per id, one envelope
per channel and sequence number, one grant per purchase, an audit log that only grows.

Times are Unix seconds (`_at_s`) or milliseconds (`_ms`), amounts are the asset's base units, ids,
keys and digests are hex.
"""

from billing.models.audit import AuditEntry, AuditHead
from billing.models.caps import SpendingCap
from billing.models.discrepancies import Discrepancy
from billing.models.handing_over import HandOver
from billing.models.letters import Letter
from billing.models.notices import FirstUsesSeen, Notice, NoticeChoice
from billing.models.purchases import (
    OPEN_PER_BUYER,
    ChainTransaction,
    ChannelAccount,
    EventCursor,
    GrantedToken,
    IdempotentRequest,
    Payment,
    Purchase,
)
from billing.models.refunds import Refund
from billing.models.shops import GrantDay, Outage, RouteDay, ShopNotice, SummedUntil
from billing.models.vouchers import Redemption, Voucher
from billing.models.webhooks import WebhookDelivery, WebhookEndpoint
from billing.models.wishes import RefundRequest, ServiceReport

__all__ = ["AuditEntry", "AuditHead", "ChainTransaction", "ChannelAccount", "Discrepancy"]
__all__ += ["OPEN_PER_BUYER", "EventCursor", "GrantedToken", "IdempotentRequest", "Payment"]
__all__ += ["Redemption", "Voucher"]
__all__ += ["GrantDay", "Outage", "RouteDay", "ShopNotice", "SummedUntil"]
__all__ += ["Letter", "Purchase", "Refund", "WebhookDelivery", "WebhookEndpoint"]
__all__ += ["HandOver", "RefundRequest", "ServiceReport"]
__all__ += ["FirstUsesSeen", "Notice", "NoticeChoice", "SpendingCap"]
