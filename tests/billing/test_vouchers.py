"""A code that a provider hands out becomes a real grant, so often and by whom it says."""

import base64
import time

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import IntegrityError, transaction
from django.test import Client

from billing import authorizing, granting, instructing, moving, vouchers
from billing.domain.errors import Conflict, NotFound, QuoteInvalid, TooOften
from billing.domain.purchases import Event
from billing.models import AuditEntry, GrantedToken, Letter, Purchase, Redemption, Voucher
from billing.rails.port import SignatureOffered
from gateway.models import LimiterLedger
from marketplace import pricing
from marketplace.models import RouteQuote
from tests.billing.buying import Person, person
from tests.marketplace import shop

pytestmark = pytest.mark.django_db
NOW_S = time.time()
ANN, BOB = person("ann"), person("bob")


@pytest.fixture
def price() -> RouteQuote:
    return shop.stall("Alba")


def issued(price: RouteQuote, *, uses: int = 1, count: int = 1) -> str:
    made = vouchers.issue(
        price,
        count=count,
        uses=uses,
        until_s=int(NOW_S) + 3_600,
        note="",
        actor="alba",
        now_s=NOW_S,
    )
    return made[0][0]


def redeem(code: str, who: Person = ANN, now_s: float = NOW_S) -> Purchase:
    return vouchers.redeem(code, who.address, who.key, "192.0.2.0/24", now_s=now_s)


def sign(purchase: Purchase, who: Person = ANN) -> None:
    signature = who.sign(bytes.fromhex(purchase.signing_hash))
    offered = SignatureOffered(signer=who.address, signature=signature)
    authorizing.authorize(purchase.pk, offered, now_s=NOW_S)
    granting.issue(purchase.pk, now_s=NOW_S)


def test_code_becomes_a_grant_with_the_terms_of_the_price(price: RouteQuote) -> None:
    code = issued(price)
    purchase = redeem(code.lower().replace("-", " "))
    sign(purchase)
    assert GrantedToken.objects.get().purchase == purchase
    assert LimiterLedger.objects.get().limit == 1_000
    assert (purchase.amount, purchase.route) == (0, "weather/forecast")
    assert code not in str(Voucher.objects.values().get())
    actions = set(AuditEntry.objects.values_list("action", flat=True))
    assert {"voucher.issue", "voucher.redeem", "purchase.grant_free"} & actions >= {
        "voucher.issue",
        "voucher.redeem",
    }


def test_version_stays_when_the_price_changes(price: RouteQuote) -> None:
    code = issued(price)
    shop.price(price.route, price.name, limits=[{"kind": "calls", "count": 1}])
    sign(redeem(code))
    assert LimiterLedger.objects.get().limit == 1_000


def test_each_use_is_given_once_and_a_buyer_redeems_once(price: RouteQuote) -> None:
    code = issued(price, uses=2)
    redeem(code)
    with pytest.raises(Conflict):
        redeem(code)
    redeem(code, BOB)
    with pytest.raises(NotFound):
        redeem(code, person("cid"))
    voucher = Voucher.objects.get()
    assert (voucher.uses, Redemption.objects.count()) == (2, 2)
    with pytest.raises(IntegrityError), transaction.atomic():
        Voucher.objects.update(uses=3)


def test_what_is_over_ended_or_never_was_is_one_answer(price: RouteQuote) -> None:
    code = issued(price)
    with pytest.raises(NotFound) as never:
        redeem("ABCD-EFGH-0123-4567")
    with pytest.raises(NotFound) as late:
        redeem(code, now_s=NOW_S + 4_000)
    assert vouchers.end(Voucher.objects.get(), actor="alba", now_s=NOW_S)
    assert not vouchers.end(Voucher.objects.get(), actor="alba", now_s=NOW_S)
    with pytest.raises(NotFound) as ended:
        redeem(code)
    assert str(never.value) == str(late.value) == str(ended.value)


def test_guessing_is_slow(price: RouteQuote) -> None:
    for _ in range(vouchers.GUESSES_PER_NETWORK_MINUTE):
        with pytest.raises(NotFound):
            redeem("nonsense")
    with pytest.raises(TooOften):
        redeem(issued(price))


def test_its_quote_is_good_for_nobody_else(price: RouteQuote) -> None:
    purchase = redeem(issued(price))
    with pytest.raises(QuoteInvalid):
        instructing.quote_from(purchase.quote)


def test_use_that_nobody_signed_for_is_given_back(price: RouteQuote) -> None:
    code = issued(price)
    purchase = redeem(code)
    moving.move(purchase.pk, Event.LAPSE, now_s=NOW_S, changes={})
    assert vouchers.give_back(now_s=NOW_S) == 1
    assert vouchers.give_back(now_s=NOW_S) == 0
    sign(redeem(code, BOB), BOB)
    Purchase.objects.filter(pk=purchase.pk).delete()
    assert Voucher.objects.get().uses == 1


def test_page_leads_to_the_signature(price: RouteQuote, client: Client) -> None:
    form = {"code": issued(price), "buyer": ANN.address}
    assert client.get("/vouchers/").status_code == 200
    assert client.post("/vouchers/", form | {"code": "x"}).status_code == 404
    assert client.post("/vouchers/", form | {"buyer": "x"}).status_code == 400
    answer = client.post("/vouchers/", form)
    assert answer.status_code == 302
    purchase = Purchase.objects.get()
    page = client.get(answer.headers["Location"]).content.decode()
    assert purchase.signing_hash in page
    signature = base64.b64encode(ANN.sign(bytes.fromhex(purchase.signing_hash))).decode()
    client.post(f"{answer.headers['Location']}sign", {"signature": signature})
    purchase.refresh_from_db()
    assert purchase.state == "authorized"


def test_holder_of_a_grant_is_given_another_one_that_nobody_else_can_take(
    price: RouteQuote,
) -> None:
    user = User.objects.create_user("carla", "carla@example.org")
    bought = redeem(issued(price))
    sign(bought)
    Purchase.objects.filter(pk=bought.pk).update(owner=user)
    alba, carla, bruno = Client(), Client(), Client()
    alba.force_login(price.route.service.provider.owner)
    carla.force_login(user)
    bruno.force_login(shop.stall("Bruno", "files").route.service.provider.owner)
    given = {"act": "give", "grant": bought.pk, "price": price.pk, "reason": "We were down."}
    chosen = f"?give={bought.pk}"
    assert chosen in alba.get("/admin/grants/").content.decode()
    assert "Plan, for nothing" in alba.get(f"/admin/grants/{chosen}").content.decode()
    assert bruno.get(f"/admin/grants/{chosen}").status_code == 404
    assert bruno.post("/admin/grants/", given).status_code == 404
    alba.post("/admin/grants/", given | {"reason": " "})
    assert not Voucher.objects.filter(given_for=bought).exists()
    for _ in range(2):  # A double click gives once.
        alba.post("/admin/grants/", given)
    gift = Voucher.objects.get(given_for=bought)
    assert AuditEntry.objects.get(action="grant.give").detail["reason"] == "We were down."
    assert "We were down." in Letter.objects.get().body
    page, take = f"/account/grants/{bought.pk}/", f"/account/grants/{bought.pk}/gifts/{gift.pk}/"
    assert "We were down." in carla.get(page).content.decode()
    assert bruno.post(take).status_code == 404
    assert carla.get(take).status_code == 405
    assert carla.post(take).status_code == 302
    purchase = Purchase.objects.get(redemption__voucher=gift)
    assert (purchase.buyer, purchase.amount) == (bought.buyer, 0)
    assert (purchase.access_key, purchase.owner) == (bought.access_key, user)
    sign(purchase)
    assert GrantedToken.objects.filter(purchase=purchase).exists()
    assert "We were down." not in carla.get(page).content.decode()
    carla.post(take)
    assert Redemption.objects.filter(voucher=gift).count() == 1


def test_provider_issues_codes_that_are_shown_once(price: RouteQuote) -> None:
    pricing.save_draft(
        RouteQuote(route=price.route, name="Draft", amount=1, asset="USDC", access_seconds=60)
    )
    foreign = shop.stall("Bruno", "files")
    client = Client()
    client.force_login(price.route.service.provider.owner)
    add = "/admin/billing/voucher/add/"
    form = {"price": price.pk, "uses": "3", "count": "2", "until": "2099-01-01", "note": "fair"}
    page = client.get(add).content.decode()
    assert "weather/forecast, Hour pass" in page
    assert "files" not in page
    assert "Draft" not in page
    shown = client.post(add, form)
    assert [len(code) for code in shown.context["codes"]] == [19, 19]
    assert not client.post(add, form | {"price": foreign.pk}).context["codes"]
    assert not client.post(add, form | {"until": "2020-01-01"}).context["codes"]
    listed = client.get("/admin/billing/voucher/").content.decode()
    assert "0 / 3" in listed
    assert shown.context["codes"][0] not in listed
    voucher = Voucher.objects.first()
    assert voucher is not None
    assert client.get(f"/admin/billing/voucher/{voucher.pk}/change/").status_code == 200
    other = Client()
    other.force_login(foreign.route.service.provider.owner)
    assert "fair" not in other.get("/admin/billing/voucher/").content.decode()
    other.post(f"/admin/billing/voucher/{voucher.pk}/end/")
    voucher.refresh_from_db()
    assert voucher.ended_at_s is None
    client.post(f"/admin/billing/voucher/{voucher.pk}/end/")
    voucher.refresh_from_db()
    assert voucher.ended_at_s is not None
    staff = Client()
    staff.force_login(User.objects.create_superuser("staff"))
    for address in (add, f"{add}?provider=alba"):
        assert staff.post(address, form).status_code == 403
    assert Voucher.objects.count() == 2
    cache.clear()
