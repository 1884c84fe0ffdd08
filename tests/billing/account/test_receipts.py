import csv
import io
import time

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from billing.models import Purchase
from tests.billing.account.people import Buyer, buyer, granted
from tests.marketplace import shop

pytestmark = pytest.mark.django_db
PAGES = ("/account/receipts/", "/account/receipts.csv", "/account/spending/")


@pytest.fixture
def carla() -> Buyer:
    shop.stall()
    return buyer("carla")


def text(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def test_receipts_name_price_route_and_transaction(carla: Buyer) -> None:
    purchase = granted(carla.wallet, owner=carla.user)
    granted(carla.wallet, owner=carla.user, amount=0, name="Trial")
    page = text(carla.client, "/account/receipts/")
    assert "<b>0.25</b> USDC" in page
    assert purchase.paid_tx_hash in page
    assert "Trial" not in page


def test_sheet_runs_nothing_when_it_is_opened(carla: Buyer) -> None:
    granted(carla.wallet, owner=carla.user, name="=HYPERLINK(1)")
    response = carla.client.get("/account/receipts.csv")
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert response.headers["Content-Disposition"] == 'attachment; filename="receipts.csv"'
    [row] = csv.DictReader(io.StringIO(response.content.decode()))
    assert row["plan"] == "'=HYPERLINK(1)"
    assert (row["amount"], row["asset"], row["refunded"]) == ("0.25", "USDC", "0.00")
    assert row["grant"] == Purchase.objects.get().pk


def test_assets_are_never_added_up(carla: Buyer) -> None:
    granted(carla.wallet, owner=carla.user, amount=10_000_000)
    granted(carla.wallet, owner=carla.user, amount=20_000_000, at_s=time.time() - 40 * 86_400)
    other = granted(carla.wallet, owner=carla.user, amount=70_000_000)
    # Of another issuer, under the same code.
    Purchase.objects.filter(pk=other.pk).update(asset="COTHER")
    page = text(carla.client, "/account/spending/")
    assert page.count('<section class="spent">') == 2
    for said in ("<b>1.00</b> USDC", "<b>3.00</b> USDC", "<b>7.00</b> USDC", "COTHER"):
        assert said in page
    for never in ("8.00", "10.00"):
        assert never not in page


def test_others_see_none_of_it(carla: Buyer, client: Client) -> None:
    granted(carla.wallet, owner=carla.user, name="Carlas pass")
    for who in (client, buyer("dora").client):
        for address in PAGES:
            page = text(who, address)
            assert "Carlas pass" not in page
            assert "0.25" not in page


def test_many_receipts_ask_few_questions(carla: Buyer) -> None:
    for _ in range(3):
        granted(carla.wallet, owner=carla.user)
    for address in PAGES:
        with CaptureQueriesContext(connection) as asked:
            text(carla.client, address)
        assert len(asked) <= 10
