import time

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from billing import reviewing
from billing.account.viewing import HELD, WALLET, Viewer
from billing.models import Purchase
from billing.reviewing import Opinion
from marketplace.models import Provider, Review, Service
from tests.billing.account.people import Buyer, buyer, granted, used
from tests.billing.buying import person
from tests.marketplace import shop

pytestmark = pytest.mark.django_db
REVIEW = "/services/weather/review/"


@pytest.fixture
def weather() -> Service:
    service = shop.service(shop.provider())
    shop.price(shop.route(service))
    return service


@pytest.fixture
def carla(weather: Service) -> Buyer:
    return buyer("carla")


def bought(carla: Buyer, *, uses: bool = True, **terms: object) -> Purchase:
    purchase = granted(carla.wallet, owner=carla.user, **terms)
    if uses:
        used(purchase, minute=timezone.now(), calls=3)
    return purchase


def test_who_paid_and_called_may_review(weather: Service, carla: Buyer) -> None:
    purchase = bought(carla)
    assert reviewing.proof(Viewer(user=carla.user), weather) == purchase
    assert reviewing.proof(Viewer(wallets=(carla.wallet.address,)), weather) == purchase


@pytest.mark.parametrize(
    "terms", [{"amount": 0}, {"uses": False}, {"route": "other/forecast"}, {"route": "weathers/x"}]
)
def test_who_did_not_may_not(weather: Service, carla: Buyer, terms: dict[str, object]) -> None:
    bought(carla, **terms)  # type: ignore[arg-type]
    assert reviewing.proof(Viewer(user=carla.user), weather) is None


def test_neither_strangers_nor_token_holders_nor_the_provider_may(
    weather: Service, carla: Buyer
) -> None:
    purchase = bought(carla)
    dora = User.objects.create_user("dora")
    for who in (Viewer(), Viewer(held=(purchase.pk,)), Viewer(user=dora, held=(purchase.pk,))):
        assert reviewing.proof(who, weather) is None
    Provider.objects.update(owner=carla.user)
    weather.refresh_from_db()
    assert reviewing.proof(Viewer(user=carla.user), weather) is None


def test_a_payment_to_oneself_is_no_review(weather: Service, carla: Buyer) -> None:
    bought(carla)
    Provider.objects.update(payout_address=carla.wallet.address)
    weather = Service.objects.select_related("provider").get()
    assert reviewing.proof(Viewer(user=carla.user), weather) is None


def test_grants_of_a_service_that_had_this_name_before_do_not_count(
    weather: Service, carla: Buyer
) -> None:
    purchase = bought(carla)
    Purchase.objects.filter(pk=purchase.pk).update(created_at_s=int(time.time()) - 86_400)
    assert reviewing.proof(Viewer(user=carla.user), weather) is None


def test_a_buyer_has_one_review_and_changes_it(weather: Service, carla: Buyer) -> None:
    first, second = bought(carla), bought(carla)
    now = timezone.now()
    reviewing.write(first, weather, Opinion(5, "Good."), now)
    reviewing.write(second, weather, Opinion(2, "Not any more."), now)
    [review] = Review.objects.all()
    assert (review.stars, review.text, review.changed_at) == (2, "Not any more.", now)


def test_the_page_lets_a_buyer_write_and_shows_it(weather: Service, carla: Buyer) -> None:
    bought(carla)
    assert carla.client.get(REVIEW).status_code == 200
    said = carla.client.post(REVIEW, {"stars": "4", "text": "Does what it says."}, follow=True)
    assert "Does what it says." in said.content.decode()
    again = carla.client.get(REVIEW).content.decode()
    assert "Change your review" in again
    assert "Does what it says." in again
    for wrong in ({"stars": "6"}, {"stars": ""}, {"stars": "5", "text": "x" * 2_001}):
        assert carla.client.post(REVIEW, wrong).status_code == 200
    assert Review.objects.get().stars == 4


def test_a_wallet_s_session_writes_too(weather: Service, carla: Buyer, client: Client) -> None:
    bought(carla)
    session = client.session
    session[WALLET] = [carla.wallet.address, time.time() + 60]
    session.save()
    assert client.post(REVIEW, {"stars": "5"}).status_code == 302


def test_everybody_else_is_told_how(weather: Service, carla: Buyer, client: Client) -> None:
    purchase = bought(carla)
    assert "Log in" in client.get(REVIEW).content.decode()
    session = client.session
    session[HELD] = [purchase.pk]
    session.save()
    other = buyer("dora")
    for visitor in (client, other.client):
        answer = visitor.post(REVIEW, {"stars": "1"})
        assert answer.status_code == 403
        assert "Only buyers review" in answer.content.decode()
    assert Review.objects.count() == 0
    assert person("nobody").address not in client.get(REVIEW).content.decode()
