"""Rounds of deliveries. Rows say what is due; a round claims some, sends them at once, and writes
what came of them. One round at a time, so that dead endpoints never hold more than one worker.
"""

from itertools import islice, zip_longest

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, Min
from django.utils.translation import gettext as _

from billing import posting
from billing.domain import webhooks
from billing.domain.webhooks import GONE, State
from billing.models import WebhookDelivery, WebhookEndpoint
from billing.webhooks.sending import Message, Outcome, send_all

AT_ONCE = 50
AT_ONCE_PER_ENDPOINT = 5  # A dead one does not hold up the others.
SENDING_SECONDS = 30  # A round that lasts longer has died.
LOG_MAX = 10
KEPT = 200  # Of each endpoint, beside those that wait.
FORGOTTEN_AT_ONCE = 1_000
USER_AGENT = "ApiCharge-Webhooks/1"


def deliver_due(*, now_s: float) -> int:
    """How many messages were sent, well or not."""
    claimed = _claim(now_s=now_s)
    if not claimed:
        return 0
    outcomes = send_all([_message(each, now_s=now_s) for each in claimed])
    for delivery, outcome in zip(claimed, outcomes, strict=True):
        _note(delivery, outcome, now_s=now_s)
    for endpoint_id in {each.endpoint_id for each in claimed}:
        _forget_oldest(endpoint_id)
    return len(claimed)


def _claim(*, now_s: float) -> list[WebhookDelivery]:
    now_ms = int(now_s * 1000)
    lease_ms = now_ms + SENDING_SECONDS * 1000
    leased = WebhookDelivery.objects.filter(due_at_ms__gt=now_ms, due_at_ms__lte=lease_ms)
    if leased.filter(sending_until_ms__gt=now_ms).exists():
        return []
    due = WebhookDelivery.objects.filter(due_at_ms__lte=now_ms).order_by("due_at_ms")
    # By endpoint, not by row: what one of them has waiting must not fill what is looked at.
    oldest = due.order_by().values_list("endpoint").annotate(first=Min("due_at_ms"))
    queues = [
        due.filter(endpoint=endpoint).select_related("endpoint")[:AT_ONCE_PER_ENDPOINT]
        for endpoint, _first in oldest.order_by("first")[:AT_ONCE]
    ]
    turns = (each for turn in zip_longest(*queues) for each in turn if each is not None)
    return [each for each in islice(turns, AT_ONCE) if _is_ours(each, now_ms, lease_ms)]


def _is_ours(delivery: WebhookDelivery, now_ms: int, lease_ms: int) -> bool:
    """Another round may have been quicker. A worker that dies leaves it due after the lease."""
    free = WebhookDelivery.objects.filter(
        pk=delivery.pk, state=State.PENDING, sending_until_ms__lte=now_ms
    )
    return bool(free.update(sending_until_ms=lease_ms, due_at_ms=lease_ms))


def _message(delivery: WebhookDelivery, *, now_s: float) -> Message:
    endpoint, body = delivery.endpoint, delivery.body.encode()
    secrets = [endpoint.secret]
    if endpoint.former_secret and now_s < endpoint.former_until_s:
        secrets.append(endpoint.former_secret)
    signed = webhooks.headers(secrets, message_id=delivery.pk, timestamp=int(now_s), body=body)
    more = {"content-type": "application/json", "user-agent": USER_AGENT}
    is_sellers = endpoint.provider_id is not None
    return Message(endpoint.url, {**signed, **more}, body, is_sellers)


def _note(delivery: WebhookDelivery, outcome: Outcome, *, now_s: float) -> None:
    well = outcome.status is not None and webhooks.answers_well(outcome.status)
    tries = delivery.attempts + 1
    wait_s = None if well else webhooks.retry_after_s(tries)
    entry = {
        "at_s": int(now_s),
        "status": outcome.status,
        "took_ms": outcome.took_ms,
        "problem": outcome.problem,
    }
    state = State.PENDING if wait_s else State.FAILED
    with transaction.atomic():
        WebhookDelivery.objects.filter(pk=delivery.pk).update(
            state=State.DELIVERED if well else state,
            due_at_ms=None if wait_s is None else int((now_s + wait_s) * 1000),
            sending_until_ms=0,
            attempts=tries,
            log=[*delivery.log, entry][-LOG_MAX:],
        )
        endpoint = WebhookEndpoint.objects.filter(pk=delivery.endpoint_id)
        if well:
            endpoint.exclude(failures=0).update(failures=0, failing_since_s=None)
        else:
            _count_failure(endpoint.get(), outcome, now_s=now_s)


def _count_failure(endpoint: WebhookEndpoint, outcome: Outcome, *, now_s: float) -> None:
    since_s = endpoint.failing_since_s or int(now_s)
    rows = WebhookEndpoint.objects.filter(pk=endpoint.pk)
    rows.update(failures=F("failures") + 1, failing_since_s=since_s)
    failures = endpoint.failures + 1
    if outcome.status == GONE:
        _disable(endpoint, _("It answered 410: it is gone."), now_s=now_s)
    elif webhooks.is_given_up(failures=failures, failing_since_s=since_s, now_s=now_s):
        _disable(endpoint, _("It failed for a day."), now_s=now_s)


def _disable(endpoint: WebhookEndpoint, why: str, *, now_s: float) -> None:
    enabled = WebhookEndpoint.objects.filter(pk=endpoint.pk, disabled_at_s=None)
    if not enabled.update(disabled_at_s=int(now_s), disabled_because=why):
        return
    waiting = WebhookDelivery.objects.filter(endpoint=endpoint, state=State.PENDING)
    waiting.update(state=State.FAILED, due_at_ms=None)
    owner = endpoint.user or (endpoint.provider.owner if endpoint.provider else None)
    if isinstance(owner, User):
        posting.post(
            owner,
            _("A webhook was switched off"),
            _(
                "{url} is told nothing any more. {why}\n\n"
                "Messages that waited are kept: mend the address, switch it on again, and replay "
                "them from its page."
            ).format(url=endpoint.url, why=why),
            key=f"webhook-off:{endpoint.pk}:{int(now_s)}",
            now_s=now_s,
        )


def _forget_oldest(endpoint_id: int) -> None:
    settled = (
        WebhookDelivery.objects.filter(endpoint=endpoint_id)
        .exclude(state=State.PENDING)
        .values_list("pk", flat=True)[KEPT : KEPT + FORGOTTEN_AT_ONCE]
    )
    WebhookDelivery.objects.filter(pk__in=list(settled)).delete()
