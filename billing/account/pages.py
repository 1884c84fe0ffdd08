"""/account/: what was bought, what is left of it, and how it was used."""

import time
from collections.abc import Callable
from functools import wraps

from django.conf import settings
from django.contrib import messages
from django.core.paginator import EmptyPage, Page, Paginator
from django.db.models import Case, Count, Q, QuerySet, Subquery
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from billing import gifting, reviewing
from billing.account import renewing, viewing
from billing.account.calls import latest, tokens_of
from billing.account.cards import card, cards
from billing.account.series import By, series, used_in
from billing.account.viewing import ACTIVE, OVER, WAITING, Viewer, viewer
from billing.domain.burning import Used
from billing.models import Purchase
from billing.pages import addresses
from billing.pages.checkout import BEGUN
from marketplace import belonging

SHOWN = 20
TABS = (ACTIVE, WAITING, OVER)
ORDERS = {ACTIVE: "ends_at", WAITING: "-created_at_s", OVER: "-ends_at"}

View = Callable[..., HttpResponse]


def private(view: View) -> View:
    """Of one person, so kept by no cache."""

    @wraps(view)
    def answer(request: HttpRequest, **named: str) -> HttpResponse:
        response = never_cache(view)(request, **named)
        response.headers["Cache-Control"] = "no-store, private"
        return response

    return answer


@private
@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    now_s = time.time()
    who = viewer(request, now_s=now_s)
    if who.is_nobody:
        context = {"login_url": resolve_url(settings.LOGIN_URL)}
        return render(request, "billing/account/nobody.html", context)
    return render(request, "billing/account/overview.html", _overview(request, who, now_s=now_s))


@private
@require_safe
def overview_live(request: HttpRequest) -> HttpResponse:
    """The same cards, for a page that is open."""
    now_s = time.time()
    who = viewer(request, now_s=now_s)
    context = _overview(request, who, now_s=now_s)
    return render(request, "billing/account/_cards.html", context)


@private
@require_safe
def grant(request: HttpRequest, grant_id: str) -> HttpResponse:
    now_s = time.time()
    who = viewer(request, now_s=now_s)
    purchase = own(
        who, grant_id, now_s=now_s, invited=reviewing.invited(), **gifting.waiting(now_s)
    )
    owns = who.owns(purchase)
    versions = renewing.versions(purchase)
    plan = renewing.newest_of_plan(purchase, versions)
    may_buy = all(belonging.may_buy(request.user, one.route.service) for one in versions[:1])
    lately = series(grant_id, By.MINUTE, now_s=now_s)
    calls = latest(purchase.pk)
    used = used_in(lately, now_s=now_s)
    context = {
        "card": card(purchase, used, plan.route if plan else None, now_s=now_s),
        "calls": calls,
        "tokens": tokens_of(calls) if owns else [],
        "series": lately,
        "purchase": purchase,
        "owns": owns,
        "gift": gifting.of(purchase) if owns else None,
        "can_claim": purchase.owner_id is None and _may_claim(request, who, purchase),
        "renewal": renewing.renewal(purchase, plan) if may_buy else None,
        "others": renewing.others(purchase, versions) if may_buy else [],
        "is_for_others": not may_buy,
        "review": getattr(purchase, "invited") if owns and plan else "",  # noqa: B009  annotated
        # Its address is the purchase's own secret.
        "receipt": addresses.path(purchase.pk, "receipt") if owns else "",
    }
    return render(request, "billing/account/grant.html", context)


@private
@require_safe
def grant_live(request: HttpRequest, grant_id: str) -> HttpResponse:
    now_s = time.time()
    purchase = own(viewer(request, now_s=now_s), grant_id, now_s=now_s)
    return render(request, "billing/account/_grant_live.html", _grant(purchase, now_s=now_s))


@private
@require_safe
def usage(request: HttpRequest, grant_id: str, by: str) -> HttpResponse:
    now_s = time.time()
    purchase = own(viewer(request, now_s=now_s), grant_id, now_s=now_s)
    try:
        shown = series(grant_id, By(by), now_s=now_s)
    except ValueError:
        raise Http404 from None
    route = renewing.newest_of_plan(purchase, renewing.versions(purchase))
    found = card(purchase, Used(), route.route if route else None, now_s=now_s)
    context = {"card": found, "series": shown, "days_kept": settings.USAGE_DAYS}
    return render(request, "billing/account/usage.html", context)


@private
@require_POST
def claim(request: HttpRequest, grant_id: str) -> HttpResponse:
    now_s = time.time()
    who = viewer(request, now_s=now_s)
    purchase = own(who, grant_id, now_s=now_s)
    if not _may_claim(request, who, purchase):
        messages.error(request, _("Sign with its wallet first: a token may be lent."))
    elif viewing.claim(who, purchase):
        messages.success(request, _("This grant is in your account now."))
    else:
        messages.error(request, _("This grant is in an account already."))
    return redirect("dashboard:grant", grant_id=grant_id)


def _may_claim(request: HttpRequest, who: Viewer, purchase: Purchase) -> bool:
    """Its buyer, or the browser that began it: not whoever holds a token of it."""
    began = purchase.pk in request.session.get(BEGUN, [])
    return who.user is not None and (began or purchase.buyer in who.wallets)


def own(who: Viewer, grant_id: str, *, now_s: float, **told: Case | Subquery) -> Purchase:
    """What is somebody else's is not there. `told`: what is asked of it at the same time."""
    every = viewing.grants(who, now_s=now_s).select_related("granted")
    found = every.annotate(**told).filter(pk=grant_id).first()
    if found is None:
        raise Http404
    return found


def _overview(request: HttpRequest, who: Viewer, *, now_s: float) -> dict[str, object]:
    every = viewing.grants(who, now_s=now_s)
    counts = every.aggregate(**{tab: Count("pk", filter=Q(standing=tab)) for tab in TABS})
    asked = request.GET.get("show", "")
    tab = asked if asked in TABS else next((each for each in TABS if counts[each]), ACTIVE)
    page = _page(every.filter(Q(standing=tab)).order_by(ORDERS[tab], "pk"), request, counts[tab])
    return {
        "who": who,
        "tab": tab,
        "tabs": [{"name": each, "count": counts[each], "chosen": each == tab} for each in TABS],
        "cards": cards(list(page.object_list), now_s=now_s),
        "page": page,
    }


def _page(rows: "QuerySet[Purchase]", request: HttpRequest, count: int) -> Page[Purchase]:
    paginator = Paginator(rows, SHOWN)
    paginator.count = count  # Known already; else it is asked for again.
    try:
        return paginator.page(int(request.GET.get("page", "1")))
    except (ValueError, EmptyPage):
        return paginator.page(1)


def _grant(purchase: Purchase, *, now_s: float) -> dict[str, object]:
    return {"card": cards([purchase], now_s=now_s)[0], "calls": latest(purchase.pk)}
