"""The pages of organisations: found, invite, accept, leave, remove."""

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.db import IntegrityError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from accounts import inviting, memberships
from accounts.mails import is_reachable
from accounts.models import Membership, Organisation
from accounts.naming import name_of

MEMBERS_SHOWN = 500


class Founding(forms.ModelForm):  # type: ignore[type-arg]  # Not generic at run time.
    class Meta:
        model = Organisation
        fields = ["name", "slug"]
        labels = {"name": gettext_lazy("Name"), "slug": gettext_lazy("Short name")}
        help_texts = {"slug": gettext_lazy("For addresses: lower-case letters, digits, hyphens.")}


class Inviting(forms.Form):
    email = forms.EmailField(label=gettext_lazy("E-mail address"))
    role = forms.ChoiceField(label=gettext_lazy("As"), choices=Membership.Role.choices)

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.initial.setdefault("role", Membership.Role.MEMBER)


@login_required
def organisations(request: HttpRequest) -> HttpResponse:
    user = _user(request)
    form = Founding(request.POST or None)
    if request.method == "POST" and form.is_valid() and _found(request, form, user):
        return redirect("accounts:organisation", form.instance.slug)
    own = Membership.objects.filter(user=user).select_related("organisation")
    return render(
        request,
        "accounts/organisations.html",
        {"memberships": own.order_by("organisation__name"), "form": form},
    )


@login_required
def organisation(request: HttpRequest, slug: str) -> HttpResponse:
    mine, now = _mine(request, slug), timezone.now()
    form = Inviting(request.POST or None) if _owns(mine) else None
    if request.method == "POST":
        if form is None:
            raise Http404
        if form.is_valid() and _invite(request, mine, form):
            return redirect("accounts:organisation", slug)
    members = mine.organisation.memberships.select_related("user")[:MEMBERS_SHOWN]
    invited = inviting.open_ones(now).filter(organisation=mine.organisation)[:MEMBERS_SHOWN]
    context = {
        "organisation": mine.organisation,
        "mine": mine,
        "owns": _owns(mine),
        "members": [{"row": each, "name": name_of(each.user)} for each in members],
        "invited": [{"row": each, "link": inviting.link(each)} for each in invited]
        if _owns(mine)
        else [],
        "form": form,
    }
    return render(request, "accounts/organisation.html", context)


@require_POST
@login_required
def leave(request: HttpRequest, slug: str) -> HttpResponse:
    mine = _mine(request, slug)
    try:
        memberships.end(mine)
    except memberships.LastOwner:
        messages.error(request, _("You are its last owner: invite another one first."))
        return redirect("accounts:organisation", slug)
    messages.success(request, _("You left %(name)s.") % {"name": mine.organisation.name})
    return redirect("accounts:organisations")


@require_POST
@login_required
def remove(request: HttpRequest, slug: str, member_id: int) -> HttpResponse:
    mine = _mine(request, slug, owning=True)
    theirs = get_object_or_404(mine.organisation.memberships, pk=member_id)
    try:
        memberships.end(theirs)
    except memberships.LastOwner:
        messages.error(request, _("You are its last owner: invite another one first."))
    return redirect("accounts:organisation", slug)


@require_POST
@login_required
def revoke(request: HttpRequest, slug: str, invitation_id: int) -> HttpResponse:
    mine = _mine(request, slug, owning=True)
    theirs = get_object_or_404(mine.organisation.invitations, pk=invitation_id)
    inviting.revoke(theirs, now=timezone.now())
    return redirect("accounts:organisation", slug)


@login_required
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    now = timezone.now()
    invited = inviting.read(token, now=now)
    if invited is None:
        return render(request, "accounts/invitation.html", status=404)
    if request.method == "POST":
        if inviting.accept(invited, _user(request), now=now):
            messages.success(request, _("Welcome to %(name)s.") % {"name": invited.organisation})
        else:
            messages.info(request, _("You belong to it already, or the invitation was used."))
        return redirect("accounts:organisations")
    context = {"invitation": invited, "by": name_of(invited.invited_by)}
    return render(request, "accounts/invitation.html", context)


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # `login_required` stands before.
    return request.user


def _owns(mine: Membership) -> bool:
    return mine.role == Membership.Role.OWNER


def _mine(request: HttpRequest, slug: str, *, owning: bool = False) -> Membership:
    """To others an organisation is not there."""
    mine = memberships.membership_of(_user(request), slug)
    if mine is None or (owning and not _owns(mine)):
        raise Http404
    return mine


def _found(request: HttpRequest, form: Founding, user: User) -> bool:
    if not is_reachable(user):
        messages.warning(request, _("Confirm your e-mail address first."))
        return False
    try:
        memberships.found(form.instance, user)
    except IntegrityError:  # A moment ago.
        form.add_error("slug", _("Somebody has this name already."))
    except memberships.TooMany:
        form.add_error(None, _("You own many organisations already."))
    else:
        return True
    return False


def _invite(request: HttpRequest, mine: Membership, form: Inviting) -> bool:
    given = form.cleaned_data
    try:
        made = inviting.invite(mine, given["email"], given["role"], now=timezone.now())
    except inviting.TooOften:
        form.add_error(None, _("Many were invited within this hour: wait a while."))
        return False
    if inviting.send(made):
        messages.success(request, _("Invited %(email)s.") % {"email": made.email})
    else:
        messages.warning(request, _("The mail could not be sent: hand the link over yourself."))
    return True
