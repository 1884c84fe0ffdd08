import json
import re

import pytest

from marketplace import importing
from marketplace.fronting import front_page
from marketplace.importing import Source
from marketplace.models import Service
from tests.marketplace import shop
from tests.marketplace.documents import WEATHER

pytestmark = pytest.mark.django_db
SITE = "https://gw.example"


def test_pages_of_a_host_lead_to_the_site() -> None:
    service = shop.service(shop.provider(), host="api.weather.example")
    shop.price(shop.route(service, "all", path="/v1"))
    importing.keep(service, importing.read(json.dumps(WEATHER).encode()), Source.UPLOAD)
    for path in ("/", "/reference"):
        page = (front_page("weather", path, SITE) or b"").decode()
        assert "Weather" in page
        own = re.findall(r'(?:href|src|action|data-document)="(/[^"]*)"', page)
        assert set(own) <= {"/reference"}
    assert "/v1/forecast/{city}" in (front_page("weather", "/", SITE) or b"").decode()


def test_a_draft_has_no_front() -> None:
    shop.service(shop.provider(), state=Service.State.DRAFT)
    assert front_page("weather", "/", SITE) is None
