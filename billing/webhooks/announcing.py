"""From what happened to rows that are due: a message for each endpoint that wants to be told.

Call it in the transaction in which it happened; workers send (delivering.py).
"""

import json
import secrets
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from django.db.models import Q

from billing.domain.webhooks import State
from billing.models import WebhookDelivery, WebhookEndpoint
from billing.webhooks.registering import Owner, of
from marketplace import throttling

TEST = "webhook.test"
TESTS_A_MINUTE = 6  # Of all endpoints of one owner.
WAITING_MAX = 1_000  # Of one endpoint; beyond it events are lost, and its page says so.


def announce(
    owner: Owner, event: str, content: Mapping[str, object], *, key: str, now_s: float
) -> int:
    """Tell an owner's endpoints of `event`, once a `key`. How many will be told."""
    wanting = [endpoint for endpoint in of(owner) if _wants(endpoint, event)]
    return tell(wanting, event, content, key=key, now_s=now_s)


def tell(
    endpoints: Iterable[WebhookEndpoint],
    event: str,
    content: Mapping[str, object],
    *,
    key: str,
    now_s: float,
) -> int:
    at = datetime.fromtimestamp(int(now_s), UTC).isoformat().replace("+00:00", "Z")
    body = json.dumps({"type": event, "timestamp": at, "data": content}, ensure_ascii=False)
    rows = [
        WebhookDelivery(
            id=f"msg_{secrets.token_urlsafe(20)}",
            endpoint=endpoint,
            event=event,
            key=key[:200],
            body=body,
            created_at_s=int(now_s),
            due_at_ms=int(now_s * 1000),
        )
        for endpoint in endpoints
        if waiting(endpoint) < WAITING_MAX
    ]
    WebhookDelivery.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def test(endpoint: WebhookEndpoint, *, now_s: float) -> bool:
    """False where its owner has had enough of them sent for now."""
    whose = f"{endpoint.user_id}:{endpoint.provider_id}"
    if not throttling.allows(TEST, whose, limit=TESTS_A_MINUTE, window_s=60, now_s=now_s):
        return False
    return bool(tell([endpoint], TEST, {}, key=f"{TEST}:{now_s}", now_s=now_s))


def waiting(endpoint: WebhookEndpoint) -> int:
    return WebhookDelivery.objects.filter(endpoint=endpoint, state=State.PENDING).count()


def replay(deliveries: Iterable[str], *, endpoint: WebhookEndpoint, now_s: float) -> int:
    """Send again what was delivered or given up, under the same ids. Not to one that is off."""
    if endpoint.disabled_at_s is not None:
        return 0
    rows = WebhookDelivery.objects.filter(
        ~Q(state=State.PENDING), pk__in=list(deliveries), endpoint=endpoint
    )
    return rows.update(state=State.PENDING, attempts=0, due_at_ms=int(now_s * 1000))


def _wants(endpoint: WebhookEndpoint, event: str) -> bool:
    if endpoint.disabled_at_s is not None:
        return False
    return not endpoint.events or event in endpoint.events
