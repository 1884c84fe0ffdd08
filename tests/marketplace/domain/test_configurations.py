from typing import Any

from marketplace.domain.configurations import changes, digest

PRICE = {
    "name": "Day",
    "state": "published",
    "price": "1.00",
    "asset": "USDC",
    "access_seconds": 86_400,
    "starts": "purchase",
    "charge": "success",
    "adjustable": False,
    "meter": None,
    "limits": [],
}
ROUTE = {"slug": "all", "path": "/", "methods": [], "prices": [PRICE]}
SERVICE = {
    "slug": "maps",
    "state": "published",
    "description": "Maps.",
    "upstreams": [{"url": "https://a.example", "weight": 1}],
    "routes": [ROUTE],
}


def shop(*services: dict[str, Any]) -> dict[str, Any]:
    return {"provider": {"name": "Alba"}, "services": list(services)}


def said(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [str(change) for change in changes(before, after)]


def test_same_is_no_change_and_has_one_digest() -> None:
    assert said(shop(SERVICE), shop(SERVICE)) == []
    assert digest(shop(SERVICE) | {"based_on": "x"}) == digest(shop(SERVICE))
    assert digest(shop(SERVICE)) != digest(shop())


def test_new_service_is_said_with_all_it_sells() -> None:
    assert said(shop(), shop(SERVICE)) == [
        "maps: a new service, published",
        "maps: calls go to https://a.example",
        "maps/all: a new route, any method /",
        "maps/all, Day: on sale: 1.00 USDC for 1 day",
    ]


def test_what_goes_is_said() -> None:
    assert said(shop(SERVICE), shop()) == [
        "maps: not in the document: withdrawn, running grants go on"
    ]
    assert said(shop(SERVICE | {"state": "withdrawn"}), shop()) == []
    assert said(shop(SERVICE), shop(SERVICE | {"routes": [], "upstreams": []})) == [
        "maps: calls no longer go to https://a.example",
        "maps/all: the route is removed, and its prices are sold no more",
    ]
    unsold = ROUTE | {"prices": []}
    assert said(shop(SERVICE), shop(SERVICE | {"routes": [unsold]})) == [
        "maps/all, Day: no longer sold"
    ]


def test_each_term_of_a_price_is_in_the_words() -> None:
    terms: dict[str, Any] = {"starts": "first_use", "charge": "always", "adjustable": True}
    terms |= {"meter": {}, "limits": [{"kind": "calls", "count": 10}]}
    changed = SERVICE | {"routes": [ROUTE | {"prices": [PRICE | terms]}]}
    [only] = said(shop(SERVICE), shop(changed))
    assert only.endswith(
        "1.00 USDC for 1 day → 1.00 USDC for 1 day, 10 calls, from the first call, "
        "every call counts, the upstream may take credits, metered"
    )


def test_long_text_is_told_by_its_length() -> None:
    [only] = said(shop(SERVICE), shop(SERVICE | {"description": "x" * 100}))
    assert only == "maps: description: Maps. → 100 characters"


def test_draft_is_told_from_what_is_sold() -> None:
    draft = PRICE | {"state": "draft", "price": "2.00"}
    more = SERVICE | {"routes": [ROUTE | {"prices": [PRICE, draft]}]}
    assert said(shop(SERVICE), shop(more)) == ["maps/all, Day: a new draft: 2.00 USDC for 1 day"]
    assert said(shop(more), shop(SERVICE)) == ["maps/all, Day: the draft is deleted"]
    cheaper = SERVICE | {"routes": [ROUTE | {"prices": [PRICE, draft | {"price": "1.50"}]}]}
    assert said(shop(more), shop(cheaper)) == [
        "maps/all, Day: the draft: 2.00 USDC for 1 day → 1.50 USDC for 1 day"
    ]


def test_weight_of_an_upstream() -> None:
    heavier = SERVICE | {"upstreams": [{"url": "https://a.example", "weight": 3}]}
    assert said(shop(SERVICE), shop(heavier)) == ["maps: the weight of https://a.example: 1 → 3"]
