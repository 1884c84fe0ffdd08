import html
import json
import re

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from marketplace import indexing
from marketplace.models import Service
from tests.marketplace import shop

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def origin(settings: Settings) -> None:
    settings.ORIGIN = "https://market.example"


def sitemap(client: Client, address: str) -> list[str]:
    response = client.get(address)
    assert response.status_code == 200
    return re.findall(r"<loc>([^<]+)</loc>", html.unescape(response.content.decode()))


def test_robots_may_read_the_catalogue_and_nothing_gated(client: Client) -> None:
    assert client.get("/robots.txt").content.decode().splitlines() == [
        "User-agent: *",
        "Disallow: /admin/",
        "Disallow: /checkout/",
        "Disallow: /purchases/",
        "Disallow: /gate/",
        "Sitemap: https://market.example/sitemap.xml",
    ]


def test_sitemap_leads_to_every_listed_service(client: Client) -> None:
    owner = shop.provider()
    shop.service(owner, "clouds")
    shop.service(owner, "tides")
    shop.service(owner, "drafts", state=Service.State.DRAFT)
    shop.service(owner, "former", state=Service.State.WITHDRAWN)
    [part] = sitemap(client, "/sitemap.xml")
    assert part == "http://testserver/sitemap-services.xml"
    assert sitemap(client, part) == [
        "https://market.example/services/clouds/",
        "https://market.example/services/tides/",
    ]


def test_large_catalogue_has_several_files(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexing.Services, "limit", 2)
    owner = shop.provider()
    for number in range(5):
        shop.service(owner, f"s{number}")
    parts = sitemap(client, "/sitemap.xml")
    assert parts == [f"http://testserver/sitemap-services.xml{p}" for p in ("", "?p=2", "?p=3")]
    assert len({each for part in parts for each in sitemap(client, part)}) == 5


def test_linked_data_tells_what_is_on_offer(client: Client) -> None:
    shop.stall()
    page = client.get("/services/weather/").content.decode()
    [data] = re.findall(r'<script type="application/ld\+json">(.*?)</script>', page)
    told = json.loads(data)
    assert told["@type"] == "WebAPI"
    assert told["url"] == "https://market.example/services/weather/"
    assert told["offers"] == [
        {
            "@type": "Offer",
            "name": "Forecast: Hour pass",
            "price": "0.25",
            "priceCurrency": "USDC",
            "url": "https://market.example/services/weather/routes/forecast/",
        }
    ]
    assert '<link rel="canonical" href="https://market.example/services/weather/">' in page


def test_no_name_ends_the_script(client: Client) -> None:
    shop.service(shop.provider(), tagline="</script><script>alert(1)</script> & more")
    page = client.get("/services/weather/").content.decode()
    assert "<script>alert" not in page
    [data] = re.findall(r'<script type="application/ld\+json">(.*?)</script>', page)
    assert json.loads(data)["description"] == "</script><script>alert(1)</script> & more"
