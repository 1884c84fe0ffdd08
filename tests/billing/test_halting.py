"""What staff stops is not sold from that moment; what was sold runs on unless staff ends it."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from billing import conf, halting
from billing.domain.errors import SalesStopped
from billing.models import AuditEntry, Letter, Purchase, RefundRequest
from billing.orders import terms_of
from gateway.models import Revocation
from marketplace import quoting, suspending
from marketplace.models import RouteQuote, Service, Suspension
from tests.billing.working import Shop
from tests.fakes.rail import FakeRail
from tests.marketplace import shop as catalogue
from tests.publications import published

ROUTE = "weather/forecast"


@pytest.fixture
def shop(db: None) -> Iterator[Shop]:
    shop = Shop(FakeRail())
    with conf.paying_by(shop.rail):
        shop.open()
        yield shop


@pytest.fixture
def stall(shop: Shop) -> RouteQuote:
    """What the shop's buyers buy is a route of this service."""
    sold = catalogue.stall()
    owner = sold.route.service.provider.owner
    owner.email = "alba@example.org"
    owner.save()
    return sold


def suspend(stall: RouteQuote, now_s: float, *, ends_grants: bool = False) -> Suspension:
    return halting.suspend(
        stall.route.service, reason="Spam.", ends_grants=ends_grants, actor="root", now_s=now_s
    )


def sold(shop: Shop, **terms: object) -> Purchase:
    purchase = shop.instruct(**terms)
    shop.rail.pay(terms_of(purchase), tx_hash=purchase.pk)
    shop.turn()
    purchase.refresh_from_db()
    return purchase


def test_suspended_service_is_not_on_sale_and_its_quotes_buy_nothing(
    shop: Shop, stall: RouteQuote
) -> None:
    assert list(quoting.on_sale(ROUTE))
    suspend(stall, shop.now_s)
    assert not list(quoting.on_sale(ROUTE))
    assert not Service.objects.listed()
    with pytest.raises(SalesStopped):
        shop.instruct()
    body = published()
    routes = [route for service in body["services"] for route in service["routes"]]
    assert [route["offers"] for route in routes] == [[]]


def test_suspended_provider_sells_nothing_of_what_it_has_or_adds(
    shop: Shop, stall: RouteQuote
) -> None:
    provider = stall.route.service.provider
    halting.suspend(provider, reason="Spam.", ends_grants=False, actor="root", now_s=shop.now_s)
    catalogue.price(catalogue.route(catalogue.service(provider, "later")))
    assert not RouteQuote.objects.on_sale()
    assert not Service.objects.listed()


def test_what_was_sold_runs_on_and_is_sold_again_once_the_suspension_is_lifted(
    shop: Shop, stall: RouteQuote
) -> None:
    purchase = sold(shop)
    suspension = suspend(stall, shop.now_s)
    assert halting.end_grants(now_s=shop.now_s) == 0
    assert not Revocation.objects.exists()
    assert halting.lift(suspension, actor="root", now_s=shop.now_s + 1)
    assert not halting.lift(suspension, actor="root", now_s=shop.now_s + 2)
    assert list(quoting.on_sale(ROUTE))
    assert shop.instruct().state == "instructed"
    assert purchase.state == "granted"


def test_grants_end_with_a_reason_and_a_refund_is_asked_for_once(
    shop: Shop, stall: RouteQuote
) -> None:
    purchase = sold(shop)
    suspension = suspend(stall, shop.now_s, ends_grants=True)
    assert halting.end_grants(now_s=shop.now_s) == 1
    assert halting.end_grants(now_s=shop.now_s) == 0
    assert [row.grant for row in Revocation.objects.all()] == [purchase.pk]
    asked = RefundRequest.objects.get()
    assert (asked.purchase_id, asked.reason) == (purchase.pk, "Ended by staff: Spam.")
    suspension.refresh_from_db()
    assert suspension.grants_ended_at is not None


def test_grants_of_others_go_on(shop: Shop, stall: RouteQuote) -> None:
    sold(shop)
    other = catalogue.stall("Bruno", "weather-maps")
    suspend(other, shop.now_s, ends_grants=True)
    assert halting.end_grants(now_s=shop.now_s) == 0
    assert not Revocation.objects.exists()


def test_nothing_is_suspended_twice(shop: Shop, stall: RouteQuote) -> None:
    suspend(stall, shop.now_s)
    with pytest.raises(suspending.AlreadySuspended):
        suspend(stall, shop.now_s)
    assert Suspension.objects.count() == 1


def test_acts_of_staff_are_in_the_log_and_in_the_provider_s_mail(
    shop: Shop, stall: RouteQuote
) -> None:
    suspension = suspend(stall, shop.now_s)
    halting.lift(suspension, actor="root", now_s=shop.now_s + 1)
    acts = AuditEntry.objects.filter(subject="service:weather").order_by("number")
    assert [(row.action, row.actor) for row in acts] == [
        ("service.suspend", "root"),
        ("service.lift_suspension", "root"),
    ]
    assert Letter.objects.filter(user=stall.route.service.provider.owner).count() == 2


def test_new_service_waits_for_staff_where_that_is_asked_for(db: None, settings: Settings) -> None:
    settings.REVIEWS_SERVICES = True
    service = catalogue.stall().route.service
    assert not list(quoting.on_sale(ROUTE))
    assert list(Service.objects.waiting()) == [service]
    assert halting.send_back(service, note="A name, please.", actor="root", now_s=1.0)
    assert not Service.objects.waiting()
    Service.objects.update(state=Service.State.PUBLISHED)
    assert halting.approve(service, actor="root", now_s=2.0)
    assert not halting.approve(service, actor="root", now_s=3.0)
    assert list(quoting.on_sale(ROUTE))


@pytest.fixture
def staff(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


def test_form_suspends_and_lifts(staff: Client, shop: Shop, stall: RouteQuote) -> None:
    service = stall.route.service
    form = {"service": service.pk, "reason": "Spam.", "ends_grants": ""}
    add = reverse("admin:marketplace_suspension_add")
    assert staff.post(add, form).status_code == 302
    suspension = Suspension.objects.get()
    assert suspension.suspended_by == "root"
    again = staff.post(add, form)
    assert "suspended already" in again.content.decode()
    page = staff.get(reverse("admin:marketplace_suspension_change", args=[suspension.pk]))
    lift = reverse("admin:suspension_lift", args=[suspension.pk])
    assert lift in page.content.decode()
    assert staff.get(lift).status_code == 200
    assert staff.post(lift).status_code == 302
    suspension.refresh_from_db()
    assert suspension.lifted_by == "root"


@pytest.mark.parametrize("both", [True, False])
def test_form_takes_one_thing_to_suspend(staff: Client, stall: RouteQuote, both: bool) -> None:
    service = stall.route.service
    chosen = {"service": service.pk, "provider": service.provider.pk} if both else {}
    page = staff.post(reverse("admin:marketplace_suspension_add"), {**chosen, "reason": "x"})
    assert "Choose a service, or a provider." in page.content.decode()
    assert not Suspension.objects.exists()


def test_queue_approves_and_sends_back_with_a_note(
    staff: Client, db: None, settings: Settings
) -> None:
    settings.REVIEWS_SERVICES = True
    service = catalogue.stall().route.service
    address = reverse("admin:queue")
    assert "Weather" in staff.get(address).content.decode()
    staff.post(address, {"service": service.pk, "act": "back", "note": ""})
    assert Service.objects.waiting().exists()
    staff.post(address, {"service": service.pk, "act": "approve"})
    assert not Service.objects.waiting().exists()
    assert list(quoting.on_sale(ROUTE))
    assert "Nothing waits for you." in staff.get(address).content.decode()


def test_provider_reaches_none_of_it(shop: Shop, stall: RouteQuote) -> None:
    suspension = suspend(stall, shop.now_s)
    client = Client()
    client.force_login(stall.route.service.provider.owner)
    for name, arguments in (
        ("admin:queue", []),
        ("admin:status", []),
        ("admin:marketplace_suspension_changelist", []),
        ("admin:marketplace_suspension_add", []),
        ("admin:suspension_lift", [suspension.pk]),
    ):
        address = reverse(name, args=arguments)
        assert client.get(address).status_code == 403, name
        assert client.post(address).status_code == 403, name
    suspension.refresh_from_db()
    assert suspension.lifted_at is None
