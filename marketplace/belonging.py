"""Services for the members of an organisation: to everybody else their pages do not exist.

The gate asks for a grant, as of anybody; what is for members is to learn of the service and to buy.
"""

from collections.abc import Callable
from functools import wraps

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.db.models import Exists, OuterRef, Q
from django.http import Http404, HttpRequest, HttpResponse

from accounts.memberships import organisations_of
from marketplace.models import Service, ServiceQuerySet
from marketplace.offered import gated

View = Callable[..., HttpResponse]
MEMBERS = Service.Visibility.MEMBERS


def is_kept(slug: str) -> bool:
    """Whether the service is for members alone."""
    return "\0" not in slug and _kept(slug).exists()


def may_see(user: AbstractBaseUser | AnonymousUser, slug: str) -> bool:
    return not is_kept(slug) or belongs(user, slug)


def belongs(user: AbstractBaseUser | AnonymousUser, slug: str) -> bool:
    """Members, who sells it, and staff."""
    if not isinstance(user, User) or not user.is_active:
        return False
    known = Q(organisation__in=organisations_of(user)) | Q(provider__owner=user)
    return user.is_superuser or _kept(slug).filter(known).exists()


def may_buy(user: AbstractBaseUser | AnonymousUser, service: Service) -> bool:
    """Whoever holds a grant of it is no member for that: it may be lent, or membership over."""
    return service.visibility != MEMBERS or belongs(user, service.slug)


def _kept(slug: str) -> ServiceQuerySet:
    return Service.objects.filter(slug=slug, visibility=MEMBERS)


def of_members(user: AbstractBaseUser | AnonymousUser) -> ServiceQuerySet:
    """What is on sale to the members of this user's organisations."""
    if not isinstance(user, User):
        return Service.objects.none()
    kept = Service.objects.on_sale().filter(visibility=MEMBERS)
    return kept.filter(organisation__in=organisations_of(user))


def gated_for(user: AbstractBaseUser | AnonymousUser, slug: str) -> Service:
    """As `for_whoever_may`, for a view that wants the service's row anyway: in one query."""
    own = organisations_of(user).filter(pk=OuterRef("organisation"))
    found = gated(slug, is_members=Exists(own))
    anybodys = found.visibility != MEMBERS
    if anybodys or getattr(found, "is_members") or _sells_or_is_staff(user, found):  # noqa: B009
        return found
    raise Http404


def _sells_or_is_staff(user: AbstractBaseUser | AnonymousUser, service: Service) -> bool:
    if not isinstance(user, User) or not user.is_active:
        return False
    return user.is_superuser or user.pk == service.provider.owner_id


def for_whoever_may(view: View) -> View:
    """For every view of one service, which its address names by `slug`."""

    @wraps(view)
    def checked(request: HttpRequest, slug: str, **rest: object) -> HttpResponse:
        if not may_see(request.user, slug):
            raise Http404
        return view(request, slug=slug, **rest)

    return checked
