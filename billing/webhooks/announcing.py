"""From what happened to rows that are due: a message for each endpoint that wants to be told.

Call it in the transaction in which it happened; workers send (delivering.py).
"""

import json
import secrets
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from billing.domain.webhooks import State
from billing.models import WebhookDelivery, WebhookEndpoint
from billing.webhooks.registering import Owner, of
from marketplace import throttling
from marketplace.models import Provider

TEST = "webhook.test"
TESTS_A_MINUTE = 6  # Of all endpoints of one owner.
WAITING_MAX = 1_000  # Of one endpoint; beyond it events are lost, and its page says so.


class Tested(StrEnum):
    """What came of asking for a test."""

    ON_ITS_WAY = "on its way"
    TOO_OFTEN = "too often"
    FULL = "full"


WORDS = {
    Tested.ON_ITS_WAY: _("A test message is on its way."),
    Tested.TOO_OFTEN: _("Enough tests for now: try again in a minute."),
    Tested.FULL: _(
        "So many messages wait for this address that it takes no more, no test either. Mend what "
        "answers there, or remove the address and add it anew: what waits is dropped then."
    ),
}


def announce(
    owner: Owner, event: str, content: Mapping[str, object], *, key: str, now_s: float
) -> int:
    """Tell an owner's endpoints of `event`, once a `key`. How many will be told."""
    wanting = [endpoint for endpoint in of(owner) if _wants(endpoint, event)]
    return tell(wanting, event, {key: content}, now_s=now_s)


def wanting(providers: Iterable[Provider], event: str) -> dict[int, list[WebhookEndpoint]]:
    """By provider. Those with no endpoint that wants to be told are left out."""
    found: dict[int, list[WebhookEndpoint]] = {}
    for endpoint in WebhookEndpoint.objects.filter(provider__in={each.pk for each in providers}):
        if endpoint.provider_id is not None and _wants(endpoint, event):
            found.setdefault(endpoint.provider_id, []).append(endpoint)
    return found


def tell(
    endpoints: Iterable[WebhookEndpoint],
    event: str,
    contents: Mapping[str, Mapping[str, object]],
    *,
    now_s: float,
) -> int:
    """`contents`: by key. Beyond what may wait for an endpoint they are lost to it."""
    at = datetime.fromtimestamp(int(now_s), UTC).isoformat().replace("+00:00", "Z")
    bodies = [
        (key, json.dumps({"type": event, "timestamp": at, "data": content}, ensure_ascii=False))
        for key, content in contents.items()
    ]
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
        for key, body in bodies[: max(0, WAITING_MAX - waiting(endpoint))]
    ]
    WebhookDelivery.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def test(endpoint: WebhookEndpoint, *, now_s: float) -> Tested:
    whose = f"{endpoint.user_id}:{endpoint.provider_id}"
    if not throttling.allows(TEST, whose, limit=TESTS_A_MINUTE, window_s=60, now_s=now_s):
        return Tested.TOO_OFTEN
    told = tell([endpoint], TEST, {f"{TEST}:{now_s}": {}}, now_s=now_s)
    return Tested.ON_ITS_WAY if told else Tested.FULL


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
