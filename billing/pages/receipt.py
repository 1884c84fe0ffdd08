"""The receipt of a purchase: a page, a signed document, a PDF."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from billing import conf, orders, printing, receipts
from billing.domain.purchases import State
from billing.models import Purchase
from billing.pages import addresses
from billing.pages.purchase import known
from billing.receipts import Receipt
from marketplace.domain import plans


@dataclass(frozen=True, slots=True)
class Line:
    """A moment is written in UTC; `at` is for scripts, which know the reader's own time."""

    label: str
    value: str
    at: datetime | None = None


@known
@require_safe
def page(request: HttpRequest, purchase: Purchase) -> HttpResponse:
    receipt = _receipt(purchase)
    context = {
        "purchase": purchase,
        "receipt": receipt.document,
        "lines": _lines(purchase, receipt),
        "explorer": receipts.explorer_link(purchase.paid_tx_hash),
        "chain": conf.conf().chain,
        "json": addresses.path(purchase.pk, "receipt-json"),
        "pdf": addresses.path(purchase.pk, "receipt-pdf"),
        "purchase_page": addresses.path(purchase.pk),
    }
    return render(request, "billing/receipt.html", context)


@known
@require_safe
def as_json(_request: HttpRequest, purchase: Purchase) -> JsonResponse:
    receipt = _receipt(purchase)
    name = f'attachment; filename="receipt-{purchase.pk[:12]}.json"'
    told = {"receipt": receipt.document, "jws": receipt.signed}
    return JsonResponse(told, headers={"Content-Disposition": name})


@known
@require_safe
def as_pdf(_request: HttpRequest, purchase: Purchase) -> HttpResponse:
    receipt = _receipt(purchase)
    link = receipts.explorer_link(purchase.paid_tx_hash)
    lines = [(line.label, line.value) for line in _lines(purchase, receipt)]
    lines += [(_("Look it up"), link)] if link else []
    foot = _(
        "Issued by %(origin)s. The signed form of this receipt can be checked with the keys at "
        "%(origin)s/.well-known/jwks.json."
    ) % {"origin": conf.conf().origin}
    if conf.conf().chain.is_play:
        foot += " " + _("Sandbox network: money here is play money.")
    body = printing.pdf(_("Receipt"), lines, foot=foot, at_s=_at_s(purchase))
    name = f'attachment; filename="receipt-{purchase.pk[:12]}.pdf"'
    return HttpResponse(body, content_type="application/pdf", headers={"Content-Disposition": name})


def _receipt(purchase: Purchase) -> Receipt:
    if purchase.state != State.GRANTED:
        raise Http404
    return receipts.receipt_of(purchase)


def _lines(purchase: Purchase, receipt: Receipt) -> list[Line]:
    told: dict[str, Any] = receipt.document
    sold, payment = told["sold"], told["payment"]
    plan = f"{sold['plan']}, " + _("version %(n)s") % {"n": sold["version"]}
    lines: list[tuple[str, str] | tuple[str, str, datetime]] = [
        (_("Number"), purchase.pk),
        (_("Service"), sold["service"]),
        (_("Sold by"), sold["provider"]),
        (_("Route"), sold["route"]),
        (_("Plan"), plan if sold["version"] else sold["plan"]),
        (_("Limits"), "; ".join(sold["words"]) or _("none")),
        (_("Access from"), *_moment(told["from"])),
        (_("Until"), *_moment(told["until"])),
        (_("Price"), _price(purchase)),
        (_("Paid by"), told["buyer"]),
        (_("Paid to"), told["payee"]),
    ]
    if purchase.fee:
        fee = f"{plans.show_amount(purchase.fee)} {purchase.asset_code}"
        lines.append((_("Of which the marketplace's"), f"{fee}, {told['treasury']}"))
    lines.append((_("Quote"), told["quote"]))
    if payment is not None:
        lines += [
            (_("Network"), f"Stellar {payment['network']}"),
            (_("Transaction"), payment["transaction"]),
            (_("Ledger"), f"{payment['ledger']:,}"),
            (_("Paid at"), *_moment(payment["at"])),
        ]
    return [Line(*line) for line in lines]


def _price(purchase: Purchase) -> str:
    if not purchase.amount:
        return _("Free")
    quote = orders.quote_of(purchase)
    units = _("%(n)s base units") % {"n": f"{quote.amount:,}"}
    return f"{plans.show_amount(quote.amount)} {quote.asset} ({units})"


def _at_s(purchase: Purchase) -> int:
    return purchase.paid_at_s or purchase.authorized_at_s or purchase.created_at_s


def _moment(seconds: int) -> tuple[str, datetime]:
    at = datetime.fromtimestamp(seconds, UTC)
    return f"{at:%-d %B %Y, %H:%M:%S} UTC", at
