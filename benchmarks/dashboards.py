"""What the pages of buyers, providers and staff cost: `python -m benchmarks.dashboards`.

Sells in the catalogue that `python -m benchmarks.catalogue` filled (DATABASE_URL; the first run
takes a while), then asks for each page as the one buyer, as the provider of the most used service,
and as staff: queries, and the median and worst time that Django takes for it in one process.
"""

import sys

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db.models import Count
from django.test import Client
from django.test.utils import setup_test_environment

from benchmarks import catalogue, sales, shops
from benchmarks.ready import say
from billing.models import Payment, Purchase
from gateway.models import UsageMinute
from marketplace.models import Service

QUERIES_MAX, TRAIL_QUERIES_MAX = 10, 15
"""A page of one sale looks for it in each of ten books."""


def of_buyer() -> dict[str, str]:
    owned = Purchase.objects.filter(owner__username="buyer").values_list("pk", flat=True)
    used = UsageMinute.objects.filter(grant__in=list(owned[:100])).values("grant")
    busiest = used.annotate(rows=Count("pk")).order_by("-rows").first()
    assert busiest is not None
    grant = f"/account/grants/{busiest['grant']}/"
    return {
        "grants": "/account/",
        "grants, the last page": "/account/?page=40",
        "grants, every two seconds": "/account/live/",
        f"a grant with {busiest['rows']:,} minutes": grant,
        "what is left of it, every two seconds": f"{grant}live/",
        "its usage by the minute": f"{grant}usage/minute/",
        "its usage by the hour": f"{grant}usage/hour/",
        "its usage by the day": f"{grant}usage/day/",
        "receipts": "/account/receipts/",
        "receipts as CSV": "/account/receipts.csv",
        "spending": "/account/spending/",
        "notices": "/account/notices/",
    }


def of_provider() -> dict[str, str]:
    return {
        "dashboard, 7 days": "/admin/?days=7",
        "dashboard, 30 days": "/admin/?days=30",
        "dashboard, 90 days": "/admin/?days=90",
        "grants": "/admin/grants/",
        "services": "/admin/marketplace/service/",
        "prices": "/admin/marketplace/routequote/",
        "getting started": "/admin/start/",
        "webhooks": "/admin/webhooks/",
    }


def of_staff() -> dict[str, str]:
    some = Payment.objects.order_by("pk")[Payment.objects.count() // 2]
    return {
        "first page": "/admin/",
        "payments": "/admin/billing/payment/",
        "a payment by its transaction": f"/admin/billing/payment/?q={some.tx_hash}",
        "purchases": "/admin/billing/purchase/",
        "audit log": "/admin/billing/auditentry/",
        "discrepancies": "/admin/billing/discrepancy/",
        "review queue": "/admin/queue/",
        "services": "/admin/marketplace/service/",
        "a service by its name": "/admin/marketplace/service/?q=weather",
        "prices": "/admin/marketplace/routequote/",
        "system status": "/admin/status/",
    }


def of_a_sale() -> dict[str, str]:
    some = Payment.objects.order_by("pk")[Payment.objects.count() // 2]
    return {
        "its payment": f"/admin/billing/payment/{some.pk}/change/",
        "its purchase": f"/admin/billing/purchase/{some.purchase_ref}/change/",
    }


def client_of(name: str) -> Client:
    client = Client()
    client.force_login(get_user_model().objects.get(username=name))
    return client


def main() -> None:
    setup_test_environment()
    call_command("migrate", verbosity=0)
    sales.fill(shops.today())
    say(shops.rows_of([Service, UsageMinute, Purchase]))
    most_used = Service.objects.order_by("pk")[0]
    kept = True
    for whose, pages, name, queries_max in (
        ("A buyer's", of_buyer(), "buyer", QUERIES_MAX),
        ("A provider's", of_provider(), most_used.provider.owner.get_username(), QUERIES_MAX),
        ("Staff's", of_staff(), "auditor", QUERIES_MAX),
        ("One sale, for staff", of_a_sale(), "auditor", TRAIL_QUERIES_MAX),
    ):
        print(f"\n{whose}\n")
        kept &= catalogue.report(pages, client_of(name), print, queries_max)
    if not kept:
        said = f"{QUERIES_MAX} queries ({TRAIL_QUERIES_MAX} of a sale)"
        sys.exit(f"Not within {said} and {catalogue.MEDIAN_MS_MAX} ms at the median.")


if __name__ == "__main__":
    main()
