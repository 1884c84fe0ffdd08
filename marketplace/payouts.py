"""The Stellar account that a provider is paid to, and how it comes to be another one.

Whoever takes over a provider's session would send the money to themselves. So a new address is
asked for with the second factor, told to the owner, and in force a day after that was asked; the
mail has a link that cancels it. Rows say what is to be done. Quotes keep the payee they were signed
with.
"""

from datetime import datetime, timedelta
from smtplib import SMTPException

from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.auth.models import User
from django.core import signing
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from stellar_sdk import StrKey

from marketplace.models import PayoutChange, Provider

WAIT = timedelta(hours=24)
SALT = "marketplace.payout"
AT_ONCE = 20


class ChangeUnderWay(Exception):
    """One change at a time: the next one begins when this one is over."""


def account(text: str) -> str:
    """`text` as an account, or a ValidationError that says what one looks like."""
    address = text.strip()
    if not StrKey.is_valid_ed25519_public_key(address):
        raise ValidationError(_("A Stellar account: G and 55 more characters."))
    return address


def under_way() -> QuerySet[PayoutChange]:
    return PayoutChange.objects.filter(cancelled_at=None, applied_at=None)


def ask(provider: Provider, address: str, by: User, *, now: datetime) -> PayoutChange:
    try:
        with transaction.atomic():
            return PayoutChange.objects.create(
                provider=provider,
                address=address,
                asked_by=by,
                asked_at=now,
                applies_at=now + WAIT,
            )
    except IntegrityError as exc:
        raise ChangeUnderWay from exc


def cancel(change: PayoutChange, *, now: datetime) -> bool:
    """False when it was in force, or cancelled, before."""
    return bool(under_way().filter(pk=change.pk).update(cancelled_at=now))


def apply_due(*, now: datetime) -> int:
    """Those whose day is over. One that nobody could be told of waits on."""
    due = under_way().filter(applies_at__lte=now, told_at__isnull=False)
    return sum(_apply(change, now=now) for change in due.order_by("pk")[:AT_ONCE])


def _apply(change: PayoutChange, *, now: datetime) -> bool:
    with transaction.atomic():
        if not under_way().filter(pk=change.pk).update(applied_at=now):
            return False  # Cancelled in between.
        Provider.objects.filter(pk=change.provider_id).update(payout_address=change.address)
    return True


def tell_due(*, now: datetime) -> None:
    for change in under_way().filter(told_at=None).order_by("pk")[:AT_ONCE]:
        tell(change, now=now)


def tell(change: PayoutChange, *, now: datetime) -> bool:
    """Write to every address that the owner has. False when the mail server took nothing."""
    provider = change.provider
    recipients = addresses_of(provider.owner)
    if recipients:
        context = {"change": change, "provider": provider, "link": link(change)}
        body = render_to_string("marketplace/email/payout_change.txt", context)
        mail = EmailMessage(_("ApiCharge: another payout address was asked for"), body)
        mail.to = recipients
        try:
            mail.send()
        except (SMTPException, OSError):
            return False
    elif settings.MAILS_ARE_SENT:
        return False
    PayoutChange.objects.filter(pk=change.pk, told_at=None).update(told_at=now)
    return True


def addresses_of(owner: User) -> list[str]:
    confirmed = EmailAddress.objects.filter(user=owner, verified=True)
    return sorted({*confirmed.values_list("email", flat=True), owner.email} - {""})


def link(change: PayoutChange) -> str:
    token = signing.dumps(change.pk, salt=SALT)
    return str(settings.ORIGIN) + reverse("marketplace:payout-cancel", args=[token])


def read(token: str) -> PayoutChange | None:
    """What a link is to cancel, if it is still under way."""
    try:
        pk = signing.loads(token, salt=SALT)
    except signing.BadSignature:
        return None
    return under_way().filter(pk=pk).select_related("provider").first()
