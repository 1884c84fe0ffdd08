from marketplace.domain import openapi
from marketplace.domain.openapi import Document
from marketplace.domain.proposing import ROUTES_MAX, WHOLE, propose_routes
from tests.marketplace.documents import WEATHER


def described(*paths: str) -> Document:
    items = {path: {"get": {"responses": {}}} for path in paths}
    return openapi.document({"openapi": "3.0.3", "info": {"title": "T"}, "paths": items})


def proposed(*paths: str) -> list[tuple[str, str]]:
    return [(each.slug, each.path) for each in propose_routes(described(*paths))]


def test_each_first_word_that_differs_is_a_route() -> None:
    batches, forecast = propose_routes(openapi.document(WEATHER))
    assert (batches.slug, batches.path, batches.name) == ("batches", "/v1/batches", "Batches")
    assert batches.methods == ("GET", "POST")
    assert len(batches.operations) == 2
    assert (forecast.path, forecast.name) == ("/v1/forecast", "Forecasts")
    assert forecast.description == "The forecast of a city"


def test_one_path_is_one_route() -> None:
    assert proposed("/v1/chat/completions") == [("completions", "/v1/chat/completions")]
    assert proposed("/") == [("api", "/")]
    assert proposed("/{id}") == [("api", "/")]
    assert propose_routes(described("/{id}"))[0].name == WHOLE


def test_what_answers_at_the_shared_path_is_sold_with_all_below() -> None:
    assert proposed("/v1", "/v1/a", "/v1/b") == [("v1", "/v1")]
    assert proposed("/v1/{id}", "/v1/a") == [("v1", "/v1")]
    assert proposed("/a/b", "/a/b/c") == [("b", "/a/b")]


def test_more_than_a_shop_window_holds_is_one_route() -> None:
    paths = [f"/v1/thing{i}" for i in range(ROUTES_MAX + 1)]
    assert proposed(*paths) == [("v1", "/v1")]


def test_slugs_are_such_and_each_its_own() -> None:
    slugs = [slug for slug, _ in proposed("/a_b", "/a-b", "/A.B", "/~", "/" + "x" * 90)]
    assert len(set(slugs)) == 5
    assert {"a-b", "a-b-2", "a-b-3", "api"} < set(slugs)
    assert max(len(slug) for slug in slugs) <= 63
