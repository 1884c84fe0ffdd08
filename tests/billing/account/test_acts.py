"""What a buyer may do with a grant, and that holding its key, or nothing, is not enough."""

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.test import Client

from billing import asking, auditing, posting
from billing.domain.audit import Intact
from billing.models import AuditEntry, GrantedToken, Purchase, RefundRequest, ServiceReport
from gateway.models import Revocation
from tests.billing.account.people import Buyer, buyer, granted
from tests.billing.api.speaking import access_token
from tests.marketplace import shop

pytestmark = pytest.mark.django_db
ACTS = ("revoke/", "refund/", "refund/withdraw/", "report/")
WISH = {"reason": "It answers nothing but 500."}


@pytest.fixture
def carla() -> Buyer:
    shop.stall()
    return buyer("carla")


def page_of(purchase: Purchase, part: str) -> str:
    return f"/account/grants/{purchase.pk}/{part}"


def said(client: Client, address: str, **form: object) -> str:
    return client.post(address, form, follow=True).content.decode()


def test_grant_or_one_token_is_revoked_and_audited(carla: Buyer) -> None:
    purchase = granted(carla.wallet, owner=carla.user)
    address = page_of(purchase, "revoke/")
    said(carla.client, address)
    said(carla.client, address, token="a b", sure="on")
    assert not Revocation.objects.exists()
    said(carla.client, address, token="laptop", sure="on")
    said(carla.client, address, sure="on")
    rows = Revocation.objects.order_by("pk").values_list("grant", "token")
    assert list(rows) == [(purchase.pk, "laptop"), (purchase.pk, "")]
    entries = AuditEntry.objects.filter(action="grant.revoke").order_by("number")
    assert [(entry.actor, entry.detail) for entry in entries] == [
        ("carla", {"token": "laptop"}),
        ("carla", {"token": ""}),
    ]
    assert "Revoked" in carla.client.get(page_of(purchase, "")).content.decode()


def test_others_and_who_only_holds_the_key_do_nothing(carla: Buyer, client: Client) -> None:
    purchase = granted(carla.wallet, owner=carla.user)
    holder = Client()
    token = access_token(GrantedToken.objects.get().token, carla.wallet)
    holder.post("/account/token/", {"token": token})
    assert holder.get(page_of(purchase, "")).status_code == 200
    alba = Client()
    alba.force_login(User.objects.get(username="alba"))
    for who in (client, buyer("dora").client, alba, holder):
        for act in ACTS:
            form = {"sure": "on", "reason": "other"}
            assert who.post(page_of(purchase, act), form).status_code == 404
            assert who.get(page_of(purchase, act)).status_code in {404, 405}
    assert not Revocation.objects.exists()
    assert not RefundRequest.objects.exists()
    assert not ServiceReport.objects.exists()


def test_refund_is_asked_for_once_and_its_provider_is_told(carla: Buyer) -> None:
    purchase = granted(carla.wallet, owner=carla.user)
    User.objects.filter(username="alba").update(email="alba@provider.example")
    address = page_of(purchase, "refund/")
    assert "Waits for the provider" in said(carla.client, address, **WISH)
    assert "have asked already" in said(carla.client, address, **WISH)
    request = RefundRequest.objects.get()
    assert (request.state, request.asked_by) == ("asked", "carla")
    assert request.provider is not None
    posting.send_due(now_s=request.asked_at_s + 1)
    assert [letter.to for letter in mail.outbox] == [["alba@provider.example"]]
    assert "0.25 USDC" in mail.outbox[0].subject
    assert isinstance(auditing.verify(), Intact)


def test_request_is_taken_back_declined_or_paid(carla: Buyer) -> None:
    purchase = granted(carla.wallet, owner=carla.user)
    address = page_of(purchase, "refund/")
    said(carla.client, address, **WISH)
    assert "Taken back" in said(carla.client, page_of(purchase, "refund/withdraw/"))
    said(carla.client, address, **WISH)
    request = RefundRequest.objects.get(state="asked")
    assert asking.decline(request, answer="It was used.", actor="alba", now_s=1_900_000_000)
    assert not asking.decline(request, answer="Again", actor="alba", now_s=1_900_000_000)
    page = carla.client.get(address).content.decode()
    assert "It was used." in page
    asking.paid(purchase.pk, now_s=1_900_000_000)
    assert set(RefundRequest.objects.values_list("state", flat=True)) == {"refunded"}


def test_free_grant_is_not_refunded(carla: Buyer) -> None:
    purchase = granted(carla.wallet, owner=carla.user, amount=0)
    assert "Nothing of what was paid" in said(carla.client, page_of(purchase, "refund/"), **WISH)
    assert not RefundRequest.objects.exists()


def test_report_goes_to_staff_once_while_it_waits(carla: Buyer) -> None:
    purchase = granted(carla.wallet, owner=carla.user)
    form = {"reason": "broken", "text": "<script>"}
    said(carla.client, page_of(purchase, "report/"), **form)
    assert "reported it already" in said(carla.client, page_of(purchase, "report/"), **form)
    report = ServiceReport.objects.get()
    assert (report.service.slug, report.reporter, report.reason) == (
        "weather",
        carla.user,
        "broken",
    )
    ServiceReport.objects.update(handled_at_s=1)
    said(carla.client, page_of(purchase, "report/"), **form)
    assert ServiceReport.objects.count() == 2


def test_provider_answers_requests_for_its_own_sales_alone(carla: Buyer) -> None:
    purchase = granted(carla.wallet, owner=carla.user)
    said(carla.client, page_of(purchase, "refund/"), **WISH)
    bruno = shop.provider("Bruno")
    request = RefundRequest.objects.get()
    change = f"/admin/billing/refundrequest/{request.pk}/change/"
    clients = {}
    for user in (User.objects.get(username="alba"), bruno.owner):
        clients[user.username] = Client()
        clients[user.username].force_login(user)
    clients["bruno"].post(change, {"answer": "No"})
    request.refresh_from_db()
    assert request.state == "asked"
    page = clients["alba"].get(change).content.decode()
    assert f"purchase={purchase.pk}&amp;amount=0.25" in page
    clients["alba"].post(change, {"answer": "It was used."})
    request.refresh_from_db()
    assert (request.state, request.answer) == ("declined", "It was used.")
    reports = clients["alba"].get("/admin/billing/servicereport/")
    assert reports.status_code == 403
