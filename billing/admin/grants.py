"""What a provider sold and what became of it. What was paid for ends early by a refund only."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet, Subquery, Sum
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from billing import auditing, gifting, vouchers, withdrawing
from billing.domain.errors import BillingError
from billing.models import GrantDay, GrantedToken
from billing.shops.figures import pseudonym
from gateway.models import Revocation
from marketplace.admin import desk
from marketplace.admin.scoping import seller
from marketplace.console import Screen
from marketplace.domain import plans
from marketplace.models import Provider, Route

PAGE = 50
REASON_LENGTH_MAX = 200
GIFT_REASON_LENGTH_MAX = 100


@dataclass(frozen=True, slots=True)
class Shown:
    grant: str
    buyer: str
    route: str
    plan: str
    price: str
    amount: str
    bought: datetime
    ends: datetime
    calls: int
    state: str
    is_free: bool


def grants(request: HttpRequest) -> HttpResponse:
    try:
        provider = desk.shop_of(request)
    except desk.NobodysShop:
        return desk.choose(request, _("Grants"))
    rows = _rows(provider)
    if request.method == "POST":
        act = _give if request.POST.get("act") == "give" else _end
        return act(request, provider, rows)
    now_s = int(time.time())
    if "all" not in request.GET:
        ended = Revocation.objects.filter(token="").values("grant")
        rows = rows.filter(expires_at_s__gt=now_s).exclude(purchase_id__in=ended)
    page = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    return desk.page(
        request,
        "admin/billing/grants.html",
        title=_("Grants"),
        page=page,
        grants=[_shown(provider, row, now_s) for row in page],
        everything="all" in request.GET,
        reason_length_max=REASON_LENGTH_MAX,
        gives=seller(request) is not None,
        giving=_giving(request, provider, rows),
    )


def _giving(
    request: HttpRequest, provider: Provider, rows: "QuerySet[GrantedToken]"
) -> dict[str, object] | None:
    """The form for the one grant whose holder is to be given more."""
    asked = request.GET.get("give", "")
    if seller(request) is None or not asked:
        return None
    row = rows.filter(purchase_id=asked).first()
    if row is None:
        raise Http404
    slug = row.purchase.route.partition("/")[0]
    own_first = sorted(vouchers.of(provider), key=lambda each: each.route.service.slug != slug)
    return {
        "grant": _shown(provider, row, int(time.time())),
        "offered": own_first,
        "reason_length_max": GIFT_REASON_LENGTH_MAX,
    }


def _rows(provider: Provider) -> "QuerySet[GrantedToken]":
    names = Route.objects.filter(service__provider=provider).values_list("service__slug", "slug")
    calls = GrantDay.objects.filter(grant=OuterRef("purchase_id")).order_by().values("grant")
    return (
        GrantedToken.objects.filter(purchase__route__in=[f"{of}/{slug}" for of, slug in names])
        .select_related("purchase")
        .annotate(
            ended=Exists(Revocation.objects.filter(grant=OuterRef("purchase_id"), token="")),
            calls=Subquery(calls.annotate(all=Sum("calls")).values("all")),
        )
        .order_by("-created_at_s", "-pk")
    )


def _shown(provider: Provider, row: GrantedToken, now_s: int) -> Shown:
    purchase, amount = row.purchase, plans.show_amount(row.purchase.amount)
    over = row.expires_at_s <= now_s
    ended = bool(getattr(row, "ended"))  # noqa: B009  annotated
    return Shown(
        grant=purchase.pk,
        buyer=pseudonym(provider, purchase.buyer),
        route=purchase.route,
        plan=str(purchase.quote.get("name", "")),
        price=f"{amount} {purchase.asset_code}" if purchase.amount else _("free"),
        amount=amount.replace(",", ""),
        bought=datetime.fromtimestamp(row.created_at_s, UTC),
        ends=datetime.fromtimestamp(row.expires_at_s, UTC),
        calls=getattr(row, "calls") or 0,  # noqa: B009
        state="ended" if ended else "over" if over else "runs",
        is_free=purchase.amount == 0,
    )


def _end(request: HttpRequest, provider: Provider, rows: "QuerySet[GrantedToken]") -> HttpResponse:
    """Of what cost nothing, with a reason that the log keeps."""
    row = rows.filter(purchase_id=request.POST.get("grant", ""), purchase__amount=0).first()
    reason = request.POST.get("reason", "").strip()[:REASON_LENGTH_MAX]
    if row is None:
        raise Http404
    if not reason:
        messages.error(request, _("Say why: the log keeps it."))
        return HttpResponseRedirect(request.get_full_path())
    actor, now_s = request.user.get_username(), time.time()
    with transaction.atomic():
        if withdrawing.withdraw(row.purchase_id, actor=actor, now_s=now_s):
            auditing.record(
                action="grant.end",
                subject=row.purchase_id,
                now_s=now_s,
                actor=actor,
                detail={"reason": reason},
            )
            said = f"Ended the free grant {row.purchase_id}: {reason}"
            admin.site.get_model_admin(Provider).log_change(request, provider, said)
            messages.success(request, _("It is ended, on every gateway within a second."))
    return HttpResponseRedirect(request.get_full_path())


def _give(request: HttpRequest, provider: Provider, rows: "QuerySet[GrantedToken]") -> HttpResponse:
    """Another grant for its holder. The provider's own to give, not staff's."""
    if seller(request) is None:
        raise PermissionDenied
    row = rows.filter(purchase_id=request.POST.get("grant", "")).first()
    asked = request.POST.get("price", "")
    price = next((each for each in vouchers.of(provider) if str(each.pk) == asked), None)
    reason = request.POST.get("reason", "").strip()[:GIFT_REASON_LENGTH_MAX]
    if row is None or price is None:
        raise Http404
    if not reason:
        messages.error(request, _("Say why: the buyer reads it, and the log keeps it."))
        return HttpResponseRedirect(request.get_full_path())
    actor = request.user.get_username()
    try:
        gifting.give(row.purchase, price, reason=reason, actor=actor, now_s=time.time())
    except BillingError as problem:
        messages.error(request, problem.detail)
        return HttpResponseRedirect(request.get_full_path())
    said = f"Gave {price} to the holder of {row.purchase_id}: {reason}"
    admin.site.get_model_admin(Provider).log_change(request, provider, said)
    messages.success(request, _("It waits on the page of the grant, for 30 days."))
    return HttpResponseRedirect(request.get_full_path())


admin.site.screens.append(  # type: ignore[attr-defined]
    Screen("grants", "grants/", grants, gettext_noop("Grants"), "key", desk.sells)
)
