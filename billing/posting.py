"""Mail, from rows: written where something happened, sent behind it, a few attempts each.

A mail is sent at least once: a worker that dies between server and row sends it again.
"""

import logging
import smtplib

from django.contrib.auth.models import User
from django.core.mail import send_mail

from billing.models import Letter

ATTEMPTS_MAX = 6
RETRY_SECONDS = 60  # Twice as long after each failure.
SENDING_SECONDS = 120
AT_ONCE = 20
KEPT_SECONDS = 90 * 86_400
FORGOTTEN_AT_ONCE = 500

logger = logging.getLogger(__name__)


def post(user: User, subject: str, body: str, *, key: str, now_s: float) -> bool:
    """Once a `key`. False when it was written before, or there is no address to write to."""
    if not user.email or not user.is_active:
        return False
    _, made = Letter.objects.get_or_create(
        key=key,
        defaults={
            "user": user,
            "subject": " ".join(subject.split())[:200],  # A name may have line breaks.
            "body": body,
            "created_at_s": int(now_s),
            "due_at_ms": int(now_s * 1000),
        },
    )
    return made


def send_due(*, now_s: float) -> None:
    due = Letter.objects.filter(due_at_ms__lte=int(now_s * 1000)).order_by("due_at_ms")
    for letter in due.select_related("user")[:AT_ONCE]:
        if _claim(letter, now_s=now_s):
            _send(letter, now_s=now_s)


def tidy(*, now_s: float) -> int:
    old = Letter.objects.filter(created_at_s__lt=int(now_s) - KEPT_SECONDS)
    ids = list(old.order_by("created_at_s").values_list("pk", flat=True)[:FORGOTTEN_AT_ONCE])
    return Letter.objects.filter(pk__in=ids).delete()[0]


def _claim(letter: Letter, *, now_s: float) -> bool:
    wait_s = SENDING_SECONDS + RETRY_SECONDS * 2**letter.attempts
    last = letter.attempts + 1 >= ATTEMPTS_MAX
    mine = Letter.objects.filter(pk=letter.pk, due_at_ms=letter.due_at_ms)
    return bool(
        mine.update(
            attempts=letter.attempts + 1,
            due_at_ms=None if last else int((now_s + wait_s) * 1000),
        )
    )


def _send(letter: Letter, *, now_s: float) -> None:
    try:
        send_mail(letter.subject, letter.body, None, [letter.user.email])
    except (OSError, smtplib.SMTPException):
        logger.warning("A mail could not be sent, attempt %d.", letter.attempts + 1, exc_info=True)
    else:
        Letter.objects.filter(pk=letter.pk).update(sent_at_s=int(now_s), due_at_ms=None)
