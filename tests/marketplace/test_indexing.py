import json
import re

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from tests.marketplace import shop

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def origin(settings: Settings) -> None:
    settings.ORIGIN = "https://market.example"


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
