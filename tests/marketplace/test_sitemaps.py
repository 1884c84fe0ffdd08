import html
import re

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from marketplace import sitemaps
from marketplace.models import Service
from tests.marketplace import shop

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def origin(settings: Settings) -> None:
    settings.ORIGIN = "https://market.example"


def places(client: Client, address: str) -> list[str]:
    response = client.get(address.removeprefix("https://market.example"))
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
    shop.service(owner, "secret", visibility=Service.Visibility.UNLISTED)
    found = [each for part in places(client, "/sitemap.xml") for each in places(client, part)]
    assert found == [
        "https://market.example/services/clouds/",
        "https://market.example/services/tides/",
    ]


def test_large_catalogue_has_several_files(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sitemaps, "URLS_MAX", 2)
    owner = shop.provider()
    made = [shop.service(owner, f"s{number}") for number in range(5)]
    parts = places(client, "/sitemap.xml")
    assert len(parts) == (made[-1].pk - 1) // 2 + 1
    found = [places(client, part) for part in parts]
    assert max(map(len, found)) == 2
    assert len({each for part in found for each in part}) == 5


@pytest.mark.parametrize("part", ["0", "99999999999"])
def test_part_that_cannot_be_is_not_found(client: Client, part: str) -> None:
    assert client.get(f"/sitemap-{part}.xml").status_code == 404
