from datetime import timedelta

import pytest

from marketplace import importing, pricing
from marketplace.changes import SHOWN_MAX, changes
from marketplace.importing import Source
from marketplace.models import ServiceNote
from tests.marketplace import shop

pytestmark = pytest.mark.django_db
LATER = shop.NOW + timedelta(days=1)
MUCH_LATER = shop.NOW + timedelta(days=2)


def told(service: object) -> list[tuple[str, str]]:
    return [(each.title, each.detail) for each in changes(service)]  # type: ignore[arg-type]


def test_prices_are_told_from_first_to_last() -> None:
    first = shop.stall()
    service = first.route.service
    pricing.publish(shop.draft(first.route, amount=3_000_000), LATER)
    assert told(service) == [
        (
            "Hour pass for Forecast has new terms",
            "0.30 USDC for 1 hour, before 0.25 USDC for 1 hour",
        ),
        ("New plan: Hour pass for Forecast", "0.25 USDC for 1 hour"),
    ]
    second = first.route.quotes.get(version=2)
    pricing.retire(second, MUCH_LATER)
    assert told(service)[0] == ("Hour pass for Forecast is no longer sold", "")


def test_drafts_and_other_services_are_not_told() -> None:
    price = shop.stall()
    shop.draft(price.route, "Secret plan")
    other = shop.price(shop.route(shop.service(price.route.service.provider, "maps")), "Map pass")
    assert [title for title, _ in told(price.route.service)] == ["New plan: Hour pass for Forecast"]
    assert [title for title, _ in told(other.route.service)] == ["New plan: Map pass for Forecast"]


def test_a_new_description_of_the_api_is_a_change() -> None:
    service = shop.service(shop.provider())
    info, paths = b'{"title": "A", "version": "7"}', b'{"/a": {"get": {}}}'
    text = b'{"openapi": "3.1.0", "info": %s, "paths": %s}' % (info, paths)
    importing.keep(service, importing.read(text), Source.PASTE)
    assert told(service) == [("API description 7", "1 operation")]


def test_an_incident_that_is_not_over_is_told_whatever_came_since() -> None:
    service = shop.service(shop.provider())
    ServiceNote.objects.create(service=service, title="Down", kind=ServiceNote.Kind.INCIDENT)
    ServiceNote.objects.bulk_create(
        ServiceNote(service=service, title=f"Note {number}") for number in range(SHOWN_MAX + 1)
    )
    assert [each.title for each in changes(service) if each.is_open] == ["Down"]
    assert len(changes(service)) == SHOWN_MAX
    ServiceNote.objects.filter(title="Down").update(over_at=LATER)
    assert "Down" not in dict(told(service))
