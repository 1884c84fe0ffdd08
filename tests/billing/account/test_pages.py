"""What a buyer sees of what was bought, and that nobody else sees it."""

import base64
import re
import time
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import memberships
from accounts.models import Membership, Organisation, Wallet
from billing import gifting
from billing.account.proving import ATTEMPTS_PER_NETWORK_MINUTE
from billing.domain import logins
from billing.models import GrantedToken, Purchase
from billing.pages import addresses
from billing.pages.checkout import BEGUN
from gateway.domain import ed25519
from gateway.models import GrantLedger, LimiterLedger, RecentCall, Revocation
from marketplace.models import Review, Route, RouteQuote, Service
from tests.billing.account.people import Buyer, buyer, granted, used
from tests.billing.api.speaking import access_token
from tests.billing.buying import person
from tests.fakes.rail import FakeRail
from tests.marketplace import shop

pytestmark = pytest.mark.django_db
QUERIES_MAX = 10


@pytest.fixture
def carla() -> Buyer:
    shop.stall()
    return buyer("carla")


def text(client: Client, address: str, status: int = 200) -> str:
    response = client.get(address)
    assert response.status_code == status, address
    return response.content.decode()


def page_of(purchase: Purchase, part: str = "") -> str:
    return f"/account/grants/{purchase.pk}/{part}"


def pages(purchase: Purchase) -> list[str]:
    parts = ("", "live/", "usage/minute/", "usage/hour/", "usage/day/")
    return [page_of(purchase, part) for part in parts]


def test_overview_shows_what_is_left(carla: Buyer) -> None:
    purchase = granted(carla.wallet, owner=carla.user)
    LimiterLedger.objects.update(used=8)
    page = text(carla.client, "/account/")
    assert "Hour pass" in page
    assert "Weather" in page
    assert "<b>8</b> of 10" in page
    assert 'value="80"' in page
    assert "2 left" in page
    assert 'class="meter near"' in page
    assert page_of(purchase) in page


def test_pace_says_when_it_runs_out(carla: Buyer) -> None:
    now = datetime.now(UTC)
    calls = {"kind": "calls", "count": 100}
    purchase = granted(carla.wallet, owner=carla.user, limits=(calls,), at_s=time.time() - 600)
    LimiterLedger.objects.update(used=50)
    used(purchase, minute=now - timedelta(minutes=2), calls=50)
    page = text(carla.client, "/account/")
    assert "runs out in about 10 minutes" in page


def test_grants_are_active_waiting_or_over(carla: Buyer) -> None:
    granted(carla.wallet, owner=carla.user, name="Now")
    granted(carla.wallet, owner=carla.user, name="Later", starts="first_use")
    granted(carla.wallet, owner=carla.user, name="Past", at_s=time.time() - 7_200)
    revoked = granted(carla.wallet, owner=carla.user, name="Revoked")
    Revocation.objects.create(grant=revoked.pk)
    begun = granted(carla.wallet, owner=carla.user, name="Begun", starts="first_use")
    GrantLedger.objects.filter(pk=begun.pk).update(first_used_at=time.time() - 7_200)
    for tab, names in (
        ("active", ["Now"]),
        ("waiting", ["Later"]),
        ("over", ["Past", "Revoked", "Begun"]),
    ):
        page = text(carla.client, f"/account/?show={tab}")
        shown = [
            name for name in ("Now", "Later", "Past", "Revoked", "Begun") if f">{name}<" in page
        ]
        assert sorted(shown) == sorted(names), tab


def test_grant_page_says_how_it_was_used_and_why_calls_were_refused(carla: Buyer) -> None:
    now = datetime.now(UTC)
    purchase = granted(carla.wallet, owner=carla.user)
    used(purchase, minute=now, calls=3, bytes_down=1_500, refusals={"quota-exhausted": 2})
    RecentCall.objects.create(
        grant=purchase.pk,
        route=purchase.route,
        at=now,
        method="GET",
        path="/v1/<b>",
        status=None,
        end="exhausted",
        bytes_up=0,
        bytes_down=0,
        credits=0,
        messages=0,
        token="ci",
    )
    page = text(carla.client, page_of(purchase))
    assert 'revoke/?token=ci"' in page
    assert 'value="ci"' in text(carla.client, page_of(purchase, "revoke/?token=ci"))
    assert 'data-value="1500"' in page
    assert "quota-exhausted" in page
    assert '<a href="/problems/quota-exhausted/">The grant is used up</a>' in page
    assert "/v1/&lt;b&gt;" in page
    assert purchase.buyer in page


def test_nobody_and_others_see_nothing(carla: Buyer, client: Client) -> None:
    purchase = granted(carla.wallet, owner=carla.user)
    dora = buyer("dora")
    granted(dora.wallet, owner=dora.user, name="Doras")
    alba = Client()
    alba.force_login(User.objects.get(username="alba"))
    for who in (client, dora.client, alba):
        for address in pages(purchase):
            assert purchase.buyer not in text(who, address, 404)
        for address in ("/account/", "/account/live/", "/account/?show=over"):
            page = text(who, address)
            assert purchase.pk not in page
            assert "Hour pass" not in page
        assert who.post(page_of(purchase, "claim/")).status_code == 404
    assert "Log in" in text(client, "/account/")
    purchase.refresh_from_db()
    assert purchase.owner == carla.user


def test_public_id_and_granted_token_show_nothing(carla: Buyer, client: Client) -> None:
    purchase = granted(carla.wallet)
    token = GrantedToken.objects.get().token
    for presented in (purchase.pk, token, f"{token}~x.y.z", ""):
        answer = client.post("/account/token/", {"token": presented})
        assert answer.status_code == 200
    assert purchase.pk not in text(client, "/account/")


def test_access_token_shows_its_grant_in_this_session(carla: Buyer, client: Client) -> None:
    purchase = granted(carla.wallet)
    token = access_token(GrantedToken.objects.get().token, carla.wallet)
    answer = client.post("/account/token/", {"token": f"  {token}\n"})
    assert answer.headers["Location"] == page_of(purchase)
    assert "Hour pass" in text(client, page_of(purchase))
    assert purchase.pk in text(client, "/account/")
    stranger = access_token(GrantedToken.objects.get().token, person("stranger"))
    assert "signature" in client.post("/account/token/", {"token": stranger}).content.decode()
    client.post("/account/leave/")
    text(client, page_of(purchase), 404)


def test_revoked_access_token_shows_nothing(carla: Buyer, client: Client) -> None:
    purchase = granted(carla.wallet)
    token = access_token(GrantedToken.objects.get().token, carla.wallet, id="stolen")
    Revocation.objects.create(grant=purchase.pk, token="stolen")
    assert "was revoked" in client.post("/account/token/", {"token": token}).content.decode()
    text(client, page_of(purchase), 404)


def test_page_of_a_purchase_leads_to_its_grant_and_a_guess_does_not(
    carla: Buyer, client: Client
) -> None:
    purchase = granted(carla.wallet)
    address = f"/account/purchases/{purchase.pk}/"
    for guess in ("", "x", addresses.secret("0" * 64)):
        assert client.post(address, {"secret": guess}).status_code == 404
    text(client, page_of(purchase), 404)
    answer = client.post(address, {"secret": addresses.secret(purchase.pk)})
    assert answer.headers["Location"] == page_of(purchase)
    page = text(client, page_of(purchase))
    assert f'data-key="{purchase.access_key}"' in page
    assert "/checkout/weather/forecast/?plan=Hour+pass" in page


def test_wallet_finds_what_it_bought(
    carla: Buyer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, others = granted(carla.wallet), granted(person("dora"))
    rail = FakeRail()
    monkeypatch.setattr("billing.conf.rail", lambda: rail)
    page = client.post("/account/wallet/", {"account": carla.wallet.address})
    message = page.context["text"]
    digest = logins.hashlib.sha256(b"Stellar Signed Message:\n" + message.encode()).digest()
    signed = ed25519.sign(carla.wallet.seed, digest).hex()
    wrong = client.post("/account/wallet/", {"message": message, "signature": in_base64("00" * 64)})
    assert wrong.status_code == 200
    answer = client.post(
        "/account/wallet/",
        {"message": message.replace("\n", "\r\n"), "signature": in_base64(signed)},
    )
    assert answer.headers["Location"] == "/account/"
    page_text = text(client, "/account/")
    assert mine.pk in page_text
    assert others.pk not in page_text
    again = client.post("/account/wallet/", {"message": message, "signature": in_base64(signed)})
    assert "was used" in again.content.decode()


def in_base64(hexed: str) -> str:
    return base64.b64encode(bytes.fromhex(hexed)).decode()


@pytest.mark.parametrize("changed", [False, True])
def test_renewal_is_the_plan_as_it_is_sold_now(carla: Buyer, changed: bool) -> None:
    limits = ({"kind": "calls", "count": 1_000, "window_seconds": None},)
    bought = granted(carla.wallet, owner=carla.user, limits=limits)
    if changed:
        route = Route.objects.get()
        shop.price(route, amount=5_000_000, limits=[{"kind": "calls", "count": 500}])
    page = text(carla.client, page_of(bought))
    assert ("0.50 USDC" if changed else "0.25 USDC") in page
    assert ("has changed since" in page) == changed
    assert "beside this one" in page
    Service.objects.update(state="withdrawn")
    assert "not sold any more" in text(carla.client, page_of(bought))


def test_wallet_of_an_account_shows_what_it_bought_for_good(carla: Buyer) -> None:
    purchase = granted(carla.wallet)
    text(carla.client, page_of(purchase), 404)
    Wallet.objects.create(user=carla.user, address=carla.wallet.address)
    assert "Revoke this grant" in text(carla.client, page_of(purchase))
    text(buyer("dora").client, page_of(purchase), 404)


def test_guesses_are_counted(client: Client) -> None:
    tries = range(2 * ATTEMPTS_PER_NETWORK_MINUTE + 1)  # A minute may end in between.
    pages = (client.post("/account/token/", {"token": "x"}).content.decode() for _ in tries)
    assert any("times a minute" in page for page in pages)


def test_grant_is_claimed_once_by_who_began_it_and_by_no_token(carla: Buyer) -> None:
    purchase = granted(person("wallet of nobody"))
    token = access_token(GrantedToken.objects.get().token, person("wallet of nobody"))
    dora = buyer("dora")
    for who in (carla, dora):
        who.client.post("/account/token/", {"token": token})
        assert who.client.post(page_of(purchase, "claim/")).status_code == 302
    purchase.refresh_from_db()
    assert purchase.owner is None  # A token may be lent.
    for who in (carla, dora):
        session = who.client.session
        session[BEGUN] = [purchase.pk]
        session.save()
        assert who.client.post(page_of(purchase, "claim/")).status_code == 302
    purchase.refresh_from_db()
    assert purchase.owner == carla.user
    text(buyer("erik").client, page_of(purchase), 404)


def test_pages_are_kept_by_no_cache_and_can_be_framed_by_nobody(carla: Buyer) -> None:
    purchase = granted(carla.wallet, owner=carla.user)
    for address in ["/account/", "/account/live/", *pages(purchase)]:
        assert carla.client.get(address).headers["Cache-Control"] == "no-store, private"


def test_grant_leads_to_a_review_to_other_plans_and_to_a_program_that_renews(carla: Buyer) -> None:
    route = Route.objects.get()
    shop.price(route, "Day pass", amount=20_000_000, access_seconds=86_400)
    shop.price(route, "Taste", amount=0)
    purchase = granted(carla.wallet, owner=carla.user, name="Hour pass")
    page = text(carla.client, page_of(purchase))
    assert "Write a review" not in page
    assert re.search(r'checkout/weather/forecast/\?plan=Day\+pass">Day pass</a>', page)
    assert "2.00 USDC for 1 day, 1,000 calls" in page
    assert "Taste" not in page
    assert "/gate/weather/forecast --budget USDC:0.25</code>" in page
    LimiterLedger.objects.update(used=1)
    assert "Write a review" in text(carla.client, page_of(purchase))
    service = Service.objects.get()
    Review.objects.create(service=service, buyer=purchase.buyer, grant=purchase.pk, stars=4)
    assert "Change your review" in text(carla.client, page_of(purchase))
    # Who holds a grant is no member for that; and a program is told no prices of such a service.
    house = Organisation(name="House", slug="house")
    memberships.found(house, User.objects.create_user("owner"))
    Service.objects.update(visibility="members", organisation=house)
    page = text(carla.client, page_of(purchase))
    assert "Only members of an organisation" in page
    assert "Day pass" not in page
    Membership.objects.create(organisation=house, user=carla.user)
    page = text(carla.client, page_of(purchase))
    assert "Day pass" in page
    assert "--budget" not in page


def test_pages_of_many_grants_ask_few_questions(carla: Buyer) -> None:
    now = datetime.now(UTC)
    names = [*(f"Pass {n}" for n in range(29)), "Hour pass"]
    made = [granted(carla.wallet, owner=carla.user, name=name) for name in names]
    gifting.give(
        made[-1], RouteQuote.objects.get(), reason="We were down.", actor="alba", now_s=time.time()
    )
    LimiterLedger.objects.update(used=1)
    for purchase in made[-5:]:
        used(purchase, minute=now, calls=3, refusals={"rate-exceeded": 1})
    Wallet.objects.create(user=carla.user, address=carla.wallet.address)
    visited = ["/account/", "/account/?page=2", "/account/live/", *pages(made[-1])]
    for address in visited:
        with CaptureQueriesContext(
            connection,
        ) as asked:
            text(carla.client, address)
        assert len(asked) <= QUERIES_MAX, (address, [each["sql"] for each in asked])
