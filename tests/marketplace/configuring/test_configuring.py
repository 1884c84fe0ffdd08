"""A configuration as a document: exported, changed, compared, applied, taken back."""

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import jsonschema
import pytest
from django.conf import settings
from django.test import Client
from pytest_django.fixtures import Settings

from marketplace import configuring, quoting
from marketplace.configuring import Refused
from marketplace.models import Category, Configuration, Provider, Route, RouteQuote, Service
from tests import publications
from tests.marketplace import shop

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
State = RouteQuote.State


@pytest.fixture
def alba(db: None) -> Provider:
    sold = shop.stall("Alba", "weather")
    shop.draft(sold.route, "Day pass", amount=20_000_000, access_seconds=86_400)
    shop.stall("Bruno", "files")
    return sold.route.service.provider


def changed(provider: Provider, change: Callable[[Any], object]) -> dict[str, Any]:
    document = copy.deepcopy(configuring.export(provider))
    change(document["services"])
    return document


def apply(provider: Provider, document: dict[str, Any]) -> Configuration:
    plan = configuring.plan(provider, document)
    return configuring.apply(plan, actor="alba", reason="spring", now=NOW)


def said(provider: Provider, document: dict[str, Any]) -> list[str]:
    return [str(change) for change in configuring.plan(provider, document).changes]


def hourly(services: Any) -> Any:
    return next(each for each in services[0]["routes"][0]["prices"] if each["name"] == "Hour pass")


def test_export_is_what_the_schema_says_and_changes_nothing(alba: Provider) -> None:
    document = configuring.export(alba)
    jsonschema.Draft202012Validator.check_schema(configuring.schema())
    jsonschema.validate(document, configuring.schema())
    assert said(alba, document) == []
    written = json.dumps(document)
    assert configuring.read(written.encode()) == document
    assert "files" not in written
    assert alba.payout_address not in written


def test_schema_is_served_to_anybody(client: Client) -> None:
    response = client.get("/schemas/configuration.json")
    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert response.json()["$schema"].endswith("2020-12/schema")


def test_changed_price_is_a_new_version_and_the_sold_one_stays(alba: Provider) -> None:
    document = changed(alba, lambda services: hourly(services).update(price="3.5"))
    terms = "0.25 USDC for 1 hour, 1,000 calls → 3.50 USDC for 1 hour, 1,000 calls"
    published = "a new version is published; running grants are not changed"
    assert said(alba, document) == [f"weather/forecast, Hour pass: {published}: {terms}"]
    apply(alba, document)
    versions = RouteQuote.objects.filter(name="Hour pass", route__service__provider=alba)
    assert list(versions.order_by("version").values_list("amount", "state")) == [
        (2_500_000, State.RETIRED),
        (35_000_000, State.PUBLISHED),
    ]
    offers = publications.published()["services"][0]["routes"][0]["offers"]
    assert [offer["price"]["amount"] for offer in offers] == ["35000000"]


def test_whole_shop_is_made_from_a_document(alba: Provider, settings: Settings) -> None:
    settings.UPSTREAM_NETWORKS = ["127.0.0.0/8"]
    Category.objects.create(name="Maps", slug="maps")
    route = {"slug": "all", "name": "All", "path": "/", "methods": ["GET"]}
    price = {"name": "Day", "price": "1", "asset": "EURC", "access_seconds": 86_400}
    route["prices"] = [price, price | {"price": "2", "state": "draft"}]  # type: ignore[assignment]
    service = {"slug": "tiles", "name": "Tiles", "tagline": "Maps.", "state": "published"}
    service |= {"category": "maps", "upstreams": [{"url": "http://127.0.0.1:9000"}]}  # type: ignore[dict-item]
    service |= {"routes": [route], "guard_body_bytes": 1_000}  # type: ignore[dict-item]
    service |= {"regions": ["asia", "europe"], "tags": ["raster-maps"]}  # type: ignore[dict-item]
    document = changed(alba, lambda services: services.append(service))
    kept = apply(alba, document)
    made = Service.objects.get(slug="tiles")
    assert (made.provider, made.category.slug, made.guard_body_bytes) == (alba, "maps", 1_000)  # type: ignore[union-attr]
    assert made.routes.get().quotes.count() == 2
    assert (made.regions, made.tags) == (["asia", "europe"], ["raster-maps"])
    assert any("tiles: a new service" in each for each in kept.changes)
    assert said(alba, configuring.export(alba)) == []


def test_what_is_left_out_is_sold_no_more(alba: Provider) -> None:
    document = changed(alba, lambda services: services.clear())
    assert said(alba, document) == ["weather: not in the document: withdrawn, running grants go on"]
    apply(alba, document)
    assert Service.objects.get(slug="weather").state == Service.State.WITHDRAWN
    assert Service.objects.get(slug="files").state == Service.State.PUBLISHED


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda s: s[0].update(nmae="x"), "nmae"),
        (lambda s: s[0].update(connect_ms=0), "connect_ms"),
        (lambda s: s[0].update(tags=["Two words"]), "services/0/tags/0"),
        (lambda s: s[0].update(regions=["atlantis"]), "services/0/regions/0: 'atlantis'"),
        (lambda s: s[0].update(category="none-such"), "no category"),
        (lambda s: s[0].update(host="evil.example"), "host"),
        (lambda s: s[0].update(slug="files"), "already exists"),
        (lambda s: s[0].update(upstreams=[]), "needs an upstream"),
        (lambda s: s[0].update(upstreams=[{"url": "http://10.0.0.1/"}]), "not a public address"),
        (lambda s: s[0].update(health_path="/x?y"), "without a query"),
        (lambda s: s[0]["routes"][0].update(path="/a/../b"), "cannot be a route"),
        (lambda s: s[0]["routes"].append({**s[0]["routes"][0], "slug": "twin"}), "Another route"),
        (lambda s: s[0]["routes"].append(s[0]["routes"][0]), "twice"),
        (lambda s: hourly(s).update(price="1.23456789"), "price"),
        (lambda s: hourly(s).update(asset="GOLD"), "asset"),
        (lambda s: hourly(s).update(limits=[{"kind": "calls", "count": 0}]), "count"),
        (lambda s: s[0].update(guard_requests=1, guard_window_s=3600), "take away"),
    ],
)
def test_bad_document_changes_nothing(
    alba: Provider, change: Callable[[Any], object], problem: str
) -> None:
    before = configuring.export(alba)

    def spoil(services: Any) -> None:
        services[0]["tagline"] = "Never seen"
        hourly(services)["price"] = "9"
        change(services)

    with pytest.raises(Refused) as refused:
        apply(alba, changed(alba, spoil))
    assert problem in str(refused.value)
    assert configuring.export(alba) == before
    assert Configuration.objects.count() == 0


def test_route_that_was_sold_is_held(alba: Provider) -> None:
    quoting.signed(
        RouteQuote.objects.get(route__service__slug="weather", state="published"), NOW.timestamp()
    )
    with pytest.raises(Refused, match="cannot be deleted"):
        apply(alba, changed(alba, lambda services: services[0]["routes"].clear()))
    assert Route.objects.get(slug="forecast", service__slug="weather").removed_at is None


def test_second_of_two_editors_is_told_and_overwrites_nothing(alba: Provider) -> None:
    first = changed(alba, lambda services: services[0].update(tagline="First"))
    second = changed(alba, lambda services: services[0].update(tagline="Second"))
    late = configuring.plan(alba, second)
    apply(alba, first)
    with pytest.raises(Refused, match="changed since"):
        apply(alba, second)
    with pytest.raises(Refused, match="in the meantime"):
        configuring.apply(late, actor="bea", reason="", now=NOW)
    assert Service.objects.get(slug="weather").tagline == "First"
    apply(alba, second | {"based_on": None})
    assert Service.objects.get(slug="weather").tagline == "Second"


def test_history_says_who_and_why_and_an_older_one_comes_back(alba: Provider) -> None:
    apply(alba, changed(alba, lambda services: hourly(services).update(price="3")))
    Service.objects.filter(slug="weather").update(tagline="By a form")
    apply(alba, changed(alba, lambda services: hourly(services).update(price="4")))
    kept = list(configuring.history(alba))
    assert [(each.number, each.actor) for each in kept] == [
        (4, "alba"),
        (3, ""),
        (2, "alba"),
        (1, ""),
    ]
    assert "By a form" in str(kept[1].changes)
    oldest = kept[-1].document | {"based_on": None}
    apply(alba, oldest)
    prices = RouteQuote.objects.filter(name="Hour pass", route__service__provider=alba)
    assert prices.get(state=State.PUBLISHED).amount == 2_500_000
    assert prices.count() == 4  # What was sold in between stays as a record.
    assert Service.objects.get(slug="weather").tagline == "The weather, by the hour."


def test_removed_route_comes_back_under_its_name(alba: Provider) -> None:
    with_it = configuring.export(alba)
    apply(alba, changed(alba, lambda services: services[0]["routes"].clear()))
    assert Route.objects.get(service__slug="weather").removed_at is not None
    apply(alba, with_it | {"based_on": None})
    assert said(alba, with_it | {"based_on": None}) == []
    assert publications.published()["services"][0]["routes"][0]["id"] == "weather/forecast"


def test_prices_of_one_name_on_sale_and_in_preparation_change_apart(alba: Provider) -> None:
    def both(services: Any) -> None:
        hourly(services)["price"] = "5"
        services[0]["routes"][0]["prices"].append(
            {**hourly(services), "state": "draft", "price": "6"}
        )

    apply(alba, changed(alba, both))
    rows = RouteQuote.objects.filter(name="Hour pass", route__service__provider=alba)
    assert rows.get(state=State.PUBLISHED).amount == 50_000_000
    assert rows.get(state=State.DRAFT).amount == 60_000_000


@pytest.mark.parametrize("text", [b"[]", b"{", b"- a\n- b", b"x" * (3 * 1024 * 1024)])
def test_text_that_is_no_document_is_refused(text: bytes) -> None:
    with pytest.raises(Refused):
        configuring.read(text)


def test_document_of_the_documentation_is_one(db: None) -> None:
    text = (settings.BASE_DIR / "docs/configuration.md").read_text()
    document = text.partition("```json\n")[2].partition("```")[0]
    owner = shop.provider("Alba")
    assert len(configuring.plan(owner, configuring.read(document.encode())).changes) == 5


def test_provider_does_not_put_itself_first(alba: Provider) -> None:
    def feature(services: Any) -> None:
        services[0]["featured"] = True

    with pytest.raises(Refused):
        apply(alba, changed(alba, feature))
    assert not Service.objects.filter(featured=True).exists()
