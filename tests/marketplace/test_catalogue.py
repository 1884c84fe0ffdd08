import html
import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from marketplace import listing
from marketplace.models import Category, Review, Service
from tests.marketplace import shop

pytestmark = pytest.mark.django_db


def text(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def names(client: Client, address: str) -> list[str]:
    return re.findall(r'<h3><a href="/services/[^"]+">([^<]+)</a>', text(client, address))


@pytest.fixture
def market() -> None:
    """Three services of two providers, in two categories."""
    sky = Category.objects.create(name="Sky", slug="sky")
    sea = Category.objects.create(name="Sea", slug="sea")
    alba, bruno = shop.provider("Alba"), shop.provider("Bruno")
    for owner, slug, category, amount, asset, regions in (
        (alba, "clouds", sky, 30_000_000, "USDC", ["europe"]),
        (alba, "tides", sea, 10_000_000, "EURC", ["europe", "south-america"]),
        (bruno, "waves", sea, 20_000_000, "USDC", []),
    ):
        service = shop.service(owner, slug, category=category, regions=regions)
        shop.price(shop.route(service, "all"), amount=amount, asset=asset)


def test_empty_catalogue_says_what_to_do(client: Client) -> None:
    assert "The shelves are empty" in text(client, "/")


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("/", ["Waves", "Tides", "Clouds"]),
        ("/?sort=newest", ["Waves", "Tides", "Clouds"]),
        ("/?sort=price", ["Waves", "Clouds", "Tides"]),  # Assets are not compared.
        ("/?sort=price&asset=USDC", ["Waves", "Clouds"]),
        ("/?category=sea&sort=newest", ["Waves", "Tides"]),
        ("/?category=nowhere", []),
        ("/?asset=EURC", ["Tides"]),
        ("/?region=europe", ["Tides", "Clouds"]),
        ("/?region=south-america&q=alba", ["Tides"]),
        ("/?region=africa", []),
        ("/?q=TIDES", ["Tides"]),
        ("/?q=tid%C3%A9", ["Tides"]),
        ("/?q=bruno+hour", ["Waves"]),
        ("/?q=alba&category=sea", ["Tides"]),
        ("/?q=the+wave", ["Waves"]),
        ("/?q=%25", []),
        ("/?q=%22%29+OR+NOT", []),
    ],
)
def test_whole_search_is_in_the_address(
    client: Client, market: None, address: str, found: list[str]
) -> None:
    assert names(client, address) == found


@pytest.mark.parametrize(
    "query",
    [
        "sort=nonsense",
        "sort=relevance",
        "q=%00",
        "asset=GOLD",
        "category=%00",
        "model=rent&protocol=telepathy&region=atlantis&success=200&latency=-1&trial=maybe",
        "after=99999999999999999999",
        "after=0.99999999999999999999.1&before=",
        "after=2.1.1",
        "before=0.x.1",
        "after=%00&page=7",
        "sort=price&sort=&q[]=1",
    ],
)
def test_what_makes_no_sense_is_left_out(client: Client, market: None, query: str) -> None:
    assert sorted(names(client, f"/?{query}")) == ["Clouds", "Tides", "Waves"]


def test_partial_update_leaves_an_address_without_what_nobody_chose(
    client: Client, market: None
) -> None:
    def pushed(query: str) -> str:
        answer = client.get(f"/{query}", headers={"HX-Request": "true"})
        return str(answer.headers["HX-Push-Url"])

    assert pushed("?q=tides&sort=&model=&asset=EURC") == "/?q=tides&asset=EURC"
    assert pushed("?q=&sort=") == "/"
    assert "HX-Push-Url" not in client.get("/?q=tides&sort=").headers


def test_filters_keep_the_rest_of_the_search(client: Client, market: None) -> None:
    page = text(client, "/?q=the&sort=price&latency=250&region=middle-east")
    kept = "?q=the&amp;category=sea&amp;region=middle-east&amp;latency=250&amp;sort=price"
    assert f'href="{kept}"' in page
    assert '<option value="middle-east" selected>Middle East</option>' in page
    assert '<option value="price" selected>' in page
    assert '<option value="250" selected>' in page
    assert 'value="the"' in page
    without = re.findall(r'<a href="([^"]+)"><span class="sr">Without', page)
    within = text(client, "/?category=sea&q=the")
    assert re.search('<a href="[?]q=the"><span class="sr">Without</span> Sea ', within)
    assert [html.unescape(each) for each in without] == [
        "?q=the&latency=250&sort=price",
        "?q=the&region=middle-east&sort=price",
    ]


def test_search_that_finds_nothing_offers_a_way_out(client: Client, market: None) -> None:
    assert "Nothing fits this search" in text(client, "/?q=xyzzy")


def test_card_shows_the_cheapest_paid_pass_and_that_there_is_a_free_one(client: Client) -> None:
    route = shop.route(shop.service(shop.provider()))
    shop.price(route, "Day", amount=40_000_000)
    shop.price(route, "Hour", amount=2_500_000)
    shop.price(route, "Trial", amount=0, access_seconds=60)
    page = text(client, "/")
    assert "<b>0.25</b> USDC" in page
    assert "for 1 hour" in page
    assert '<span class="pill">Free trial</span>' in page
    assert "Fewer than 100 calls and probes" in page


def test_card_shows_the_price_in_the_asset_that_was_asked_for(client: Client) -> None:
    route = shop.route(shop.service(shop.provider()))
    shop.price(route, "Hour", amount=2_500_000)
    shop.price(route, "Heure", amount=3_500_000, asset="EURC")
    assert "<b>0.35</b> EURC" in text(client, "/?asset=EURC")


def test_each_service_stands_on_one_shelf(client: Client, market: None) -> None:
    Service.objects.filter(slug="clouds").update(featured=True)
    listing.refresh(Service.objects.values_list("pk", flat=True))
    assert names(client, "/") == ["Clouds", "Waves", "Tides"]
    assert '<h2 id="featured"' in text(client, "/")


def test_card_shows_what_buyers_gave(client: Client) -> None:
    first = shop.stall("Alba", "fine").route.service
    second = shop.stall("Bruno", "poor").route.service
    for service, stars in ((first, [5, 4, 5]), (second, [1])):
        for number, given in enumerate(stars):
            Review.objects.create(service=service, buyer=f"G{number}", grant="", stars=given)
    Review.objects.create(service=first, buyer="GX", grant="", stars=1, hidden_at=shop.NOW)
    listing.refresh([first.pk, second.pk])
    page = text(client, "/?sort=rating")
    assert names(client, "/?sort=rating") == ["Fine", "Poor"]
    assert "</span> 4.7 " in page
    assert "(3)" in page


def test_search_results_are_not_indexed_and_the_first_page_says_how_to_search(
    client: Client, market: None
) -> None:
    assert 'content="noindex, follow"' in text(client, "/?q=tides")
    first = text(client, "/")
    assert "noindex" not in first
    assert '"@type": "SearchAction"' in first


@pytest.mark.parametrize(
    "address",
    ["/", "/?q=service", "/?sort=price", "/?asset=USDC&sort=price", "/?q=hour&model=usage"],
)
def test_queries_do_not_grow_with_the_catalogue(client: Client, address: str) -> None:
    owner = shop.provider()

    def fill(count: int) -> None:
        for _ in range(count):
            route = shop.route(shop.service(owner, f"service-{Service.objects.count()}"))
            shop.price(route)

    def asked(address: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            text(client, address)
        return len(queries)

    addresses = ["/", "/?q=service", "/?sort=price", "/?asset=USDC&sort=price"]
    addresses += ["/?q=hour&model=usage&protocol=rest&success=90&latency=250&trial=1"]
    fill(1)
    few = [asked(address) for address in addresses]
    fill(25)
    many = [asked(address) for address in addresses]
    assert max(few) <= max(many) <= 7


HIDDEN = [
    {"state": "draft"},
    {"state": "withdrawn"},
    {"visibility": "unlisted"},
]


@pytest.mark.parametrize("hidden", HIDDEN, ids=str)
def test_nothing_that_is_not_public_is_listed_anywhere(
    client: Client, hidden: dict[str, str]
) -> None:
    category = Category.objects.create(name="Odd", slug="odd")
    secret = shop.service(shop.provider(), "secret", category=category)
    shop.price(shop.route(secret, "hidden"))
    addresses = ["/", "/?q=secret", "/?sort=newest", "/?category=odd", "/?asset=USDC&sort=price"]
    addresses += ["/llms.txt", "/sitemap-1.xml", "/apicharge/v1/quotes"]
    for address in addresses:
        assert "/services/secret/" in text(client, address) or "secret/hidden" in text(
            client, address
        )
    Service.objects.update(**hidden)
    listing.refresh([secret.pk])
    for address in addresses:
        shown = text(client, address)
        assert "services/secret" not in shown
        assert "secret/hidden" not in shown
        assert "1 service " not in shown
        assert ">Odd <" not in shown


@pytest.mark.parametrize("hidden", HIDDEN, ids=str)
def test_row_that_is_behind_leaks_nothing(client: Client, hidden: dict[str, str]) -> None:
    shop.stall("Alba", "secret")
    Service.objects.update(**hidden)  # Past everything that would refresh it.
    for address in ("/", "/?q=secret", "/llms.txt", "/sitemap-1.xml", "/apicharge/v1/quotes"):
        shown = text(client, address)
        assert "services/secret" not in shown
        assert "secret/forecast" not in shown


def test_unlisted_service_has_a_page_that_is_not_indexed_and_is_sold(client: Client) -> None:
    shop.stall("Alba", "secret")
    Service.objects.update(visibility="unlisted")
    for address in ("/services/secret/", "/services/secret/routes/forecast/"):
        response = client.get(address)
        assert (response.status_code, response.headers["X-Robots-Tag"]) == (200, "noindex")
    quoted = client.get("/apicharge/v1/quotes", {"route": "secret/forecast"}).json()
    assert len(quoted["quotes"]) == 1
