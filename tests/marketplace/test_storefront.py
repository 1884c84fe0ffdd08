import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from marketplace.models import DomainProof, Provider, Review, Service
from tests.marketplace import shop

pytestmark = pytest.mark.django_db
ALBA = "/providers/alba/"


def page(client: Client, address: str = ALBA) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def test_page_says_who_sells_what_and_where_it_is_paid(client: Client) -> None:
    service = shop.stall().route.service
    shop.service(shop.provider("Bruno"), "maps")
    shop.service(service.provider, "secret-draft", state=Service.State.DRAFT)
    Provider.objects.update(
        about="**Ours**<script>", website="https://alba.example", support="help@alba.example"
    )
    Review.objects.create(service=service, buyer="G", grant="g", stars=4)
    shown = page(client)
    for said in (shop.account("Alba"), "<strong>Ours</strong>", "/services/weather/", "4.0"):
        assert said in shown
    assert 'href="https://alba.example" rel="nofollow noopener ugc"' in shown
    assert "not verified" in shown
    assert "/services/maps/" not in shown
    assert "secret-draft" not in shown
    assert "<script>" not in shown.partition("<main")[2]


def test_a_domain_that_was_proven_is_a_mark(client: Client) -> None:
    owner = shop.stall().route.service.provider
    proof = DomainProof.objects.create(provider=owner, domain="alba.example")
    for address in (ALBA, "/services/weather/"):
        assert "alba.example" not in page(client, address)
    DomainProof.objects.filter(pk=proof.pk).update(checked_at=shop.NOW, proven_at=shop.NOW)
    for address in (ALBA, "/services/weather/"):
        assert ">verified</span>" in page(client, address)
        assert "alba.example" in page(client, address)
        assert proof.token not in page(client, address)


def test_one_who_sells_nothing_has_a_page_and_nobody_has_none(client: Client) -> None:
    shop.provider()
    assert "Nothing on sale" in page(client)
    assert client.get("/providers/nobody/").status_code == 404


def test_queries_do_not_grow(client: Client) -> None:
    owner = shop.provider()
    for number in range(12):
        shop.price(shop.route(shop.service(owner, f"s{number}")))
    with CaptureQueriesContext(connection) as queries:
        page(client)
    assert len(queries) <= 4


@pytest.mark.parametrize(
    ("website", "proven"),
    [
        ("https://alba.example/about", True),
        ("https://www.alba.example/", True),
        ("https://evilalba.example/", False),
        ("https://alba.example.org/", False),
    ],
)
def test_proven_domain_says_nothing_of_another_website(
    client: Client, website: str, proven: bool
) -> None:
    alba = shop.stall().route.service.provider
    Provider.objects.update(website=website)
    DomainProof.objects.create(
        provider=alba, domain="alba.example", checked_at=shop.NOW, proven_at=shop.NOW
    )
    assert ("not verified" not in page(client, ALBA)) is proven
