"""Invitations: a signed link by mail, for one use, for a week, until it is revoked."""

from datetime import datetime, timedelta
from smtplib import SMTPException

from django.conf import settings
from django.contrib.auth.models import User
from django.core import signing
from django.core.mail import send_mail
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import Invitation, Membership

SALT = "accounts.invitation"
OPEN_FOR = timedelta(days=7)
PER_ORGANISATION_HOUR = 20


class TooOften(Exception):
    """An organisation is no way to send mails to strangers."""


def open_ones(now: datetime) -> QuerySet[Invitation]:
    return Invitation.objects.filter(
        accepted_at=None, revoked_at=None, expires_at__gt=now
    ).select_related("organisation")


def invite(by: Membership, email: str, role: str, *, now: datetime) -> Invitation:
    """The row alone; `send` writes the mail."""
    lately = Invitation.objects.filter(
        organisation=by.organisation_id, created_at__gt=now - timedelta(hours=1)
    )
    if lately.count() >= PER_ORGANISATION_HOUR:
        raise TooOften
    return Invitation.objects.create(
        organisation=by.organisation,
        email=email,
        role=role,
        invited_by=by.user,
        created_at=now,
        expires_at=now + OPEN_FOR,
    )


def link(invitation: Invitation) -> str:
    token = signing.dumps(invitation.pk, salt=SALT)
    return str(settings.ORIGIN) + reverse("accounts:invitation", args=[token])


def send(invitation: Invitation) -> bool:
    """False when the mail server did not take it: the owner can hand the link over."""
    context = {"invitation": invitation, "link": link(invitation)}
    body = render_to_string("accounts/email/invitation.txt", context)
    subject = _("ApiCharge: you are invited to %(name)s") % {"name": invitation.organisation.name}
    try:
        send_mail(" ".join(subject.split()), body, None, [invitation.email])
    except (SMTPException, OSError):
        return False
    return True


def read(token: str, *, now: datetime) -> Invitation | None:
    """The open invitation that a link is for."""
    try:
        pk = signing.loads(token, salt=SALT, max_age=OPEN_FOR)
    except signing.BadSignature:
        return None
    return open_ones(now).filter(pk=pk).first()


def accept(invitation: Invitation, user: User, *, now: datetime) -> bool:
    """False when somebody else was first, or it was revoked in between."""
    try:
        with transaction.atomic():
            if not open_ones(now).filter(pk=invitation.pk).update(accepted_at=now):
                return False
            Membership.objects.create(
                organisation=invitation.organisation, user=user, role=invitation.role
            )
    except IntegrityError:  # A member already, who keeps role and invitation.
        return False
    return True


def revoke(invitation: Invitation, *, now: datetime) -> None:
    open_ones(now).filter(pk=invitation.pk).update(revoked_at=now)
