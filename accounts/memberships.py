"""Who belongs to which organisation. There is always an owner left."""

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.db import transaction
from django.db.models import QuerySet

from accounts.models import Membership, Organisation

ORGANISATIONS_MAX = 20


class LastOwner(Exception):
    """Without this one nobody could invite or remove."""


class TooMany(Exception):
    """Somebody founds organisations without end."""


def organisations_of(user: AbstractBaseUser | AnonymousUser) -> QuerySet[Organisation]:
    """For `organisation__in=…`: nobody's are nobody's."""
    if not isinstance(user, User) or not user.is_active:
        return Organisation.objects.none()
    return Organisation.objects.filter(memberships__user=user)


def membership_of(user: User, slug: str) -> Membership | None:
    found = Membership.objects.select_related("organisation")
    return found.filter(user=user, organisation__slug=slug).first()


@transaction.atomic
def found(organisation: Organisation, owner: User) -> None:
    if Membership.objects.filter(user=owner, role=Membership.Role.OWNER).count() >= (
        ORGANISATIONS_MAX
    ):
        raise TooMany
    organisation.save()
    Membership.objects.create(organisation=organisation, user=owner, role=Membership.Role.OWNER)


@transaction.atomic
def end(membership: Membership) -> None:
    """Leaving and being removed are the same to the rows."""
    Organisation.objects.select_for_update().get(pk=membership.organisation_id)
    if membership.role == Membership.Role.OWNER:
        owners = Membership.objects.filter(
            organisation=membership.organisation_id, role=Membership.Role.OWNER
        )
        if not owners.exclude(pk=membership.pk).exists():
            raise LastOwner
    membership.delete()
