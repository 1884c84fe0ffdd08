import re

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from marketplace import reviewing
from marketplace.models import Review, ReviewReport, Service
from tests.marketplace import shop

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nobody_has_reported() -> None:
    cache.clear()


def review(service: Service, buyer: str, stars: int = 5, **fields: object) -> Review:
    account = shop.account(buyer)
    return Review.objects.create(service=service, buyer=account, grant="g", stars=stars, **fields)


@pytest.fixture
def weather() -> Service:
    service = shop.service(shop.provider())
    shop.price(shop.route(service))
    return service


def page(client: Client, address: str = "/services/weather/") -> str:
    return client.get(address).content.decode()


def test_rating_is_of_what_is_shown(weather: Service) -> None:
    for number, stars in enumerate((5, 4, 4)):
        review(weather, f"b{number}", stars)
    review(weather, "liar", 1, hidden_at=timezone.now())
    rating = reviewing.rating_of(weather)
    assert (rating.count, rating.hundredths, rating.mean) == (3, 433, "4.3")
    assert [(share.stars, share.count) for share in rating.shares()][:2] == [(5, 1), (4, 2)]
    assert reviewing.ratings([weather.pk, 0]) == {weather.pk: rating}


def test_nobody_s_rating_is_none(weather: Service, client: Client) -> None:
    assert reviewing.rating_of(weather).hundredths == 0
    assert "Nobody has reviewed this service yet." in page(client)


def test_reviews_are_text_with_the_provider_s_answer(weather: Service, client: Client) -> None:
    evil = "<script>alert(1)</script>"
    review(weather, "Carla", 3, text=f"Good.{evil}", reply=f"Thanks.{evil}")
    review(weather, "Hidden", text="Never seen", hidden_at=timezone.now())
    for address in ("/services/weather/", "/services/weather/reviews/"):
        shown = page(client, address)
        assert "Good." in shown
        assert "Answer of Alba" in shown
        assert "3 of 5 stars" in shown
        assert evil not in shown
        assert "Never seen" not in shown
    account = shop.account("Carla")
    assert account not in shown
    assert f"{account[:4]}…{account[-4:]}" in shown


def test_older_reviews_are_a_page_further(weather: Service, client: Client) -> None:
    for number in range(reviewing.PAGE_SIZE + 5):
        review(weather, f"b{number}", text=f"number {number}.")
    first = page(client, "/services/weather/reviews/")
    assert len(re.findall(r"number \d+\.", first)) == reviewing.PAGE_SIZE
    [older] = re.findall(r'href="(\?before=\d+)"', first)
    assert len(re.findall(r"number \d+\.", page(client, f"/services/weather/reviews/{older}"))) == 5
    assert client.get("/services/weather/reviews/?before=x").status_code == 200


def test_the_database_keeps_one_review_a_buyer_and_real_stars(weather: Service) -> None:
    review(weather, "Carla")
    for twice in ({"buyer": "Carla"}, {"buyer": "Dora", "stars": 6}, {"buyer": "Eva", "stars": 0}):
        with pytest.raises(IntegrityError), transaction.atomic():
            review(weather, **twice)  # type: ignore[arg-type]


def test_a_report_is_noted_once_a_network(weather: Service, client: Client) -> None:
    address = f"/services/weather/reviews/{review(weather, 'Carla').pk}/report/"
    for _ in range(2):
        assert client.post(address, {"reason": "spam"}).status_code == 302
    assert ReviewReport.objects.count() == 1
    assert client.post(address, {"reason": "nonsense"}).status_code == 302
    assert ReviewReport.objects.count() == 1
    assert client.get(address).status_code == 405
    other = shop.service(shop.provider("Bruno"), "maps")
    wrong = address.replace("weather", other.slug)
    assert client.post(wrong, {"reason": "spam"}).status_code == 404


def test_a_network_reports_so_often_an_hour(weather: Service, client: Client) -> None:
    for number in range(reviewing.REPORTS_PER_NETWORK_HOUR + 2):
        pk = review(weather, f"b{number}").pk
        client.post(f"/services/weather/reviews/{pk}/report/", {"reason": "spam"})
    assert ReviewReport.objects.count() == reviewing.REPORTS_PER_NETWORK_HOUR


def test_drafts_have_no_reviews(weather: Service, client: Client) -> None:
    Service.objects.update(state=Service.State.DRAFT)
    assert client.get("/services/weather/reviews/").status_code == 404
    assert client.get("/services/weather/review/").status_code == 404


def test_query_count_of_the_page_is_bounded(weather: Service, client: Client) -> None:
    for number in range(30):
        review(weather, f"b{number}", text="x")
    client.force_login(User.objects.create_user("visitor"))
    for address in ("/services/weather/", "/services/weather/reviews/"):
        with CaptureQueriesContext(connection) as queries:
            client.get(address)
        assert len(queries) <= 12, [each["sql"] for each in queries]
