"""Two configurations of one provider, compared: what would change, in words.

A configuration here is whole: every field is written out, as `marketplace/configuring` exports it.
Services are told apart by slug, upstreams by address, routes by slug, prices by name and state.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import rfc8785

from gateway.domain.limits import parse_limits
from marketplace.domain import plans
from marketplace.domain.quotes import Json, JsonObject

FORMAT = "apicharge-configuration-1"
BASED_ON = "based_on"
SHOWN_LENGTH_MAX = 60
PARTS = {"upstreams", "routes", "prices"}


@dataclass(frozen=True, slots=True)
class Change:
    where: str
    says: str

    def __str__(self) -> str:
        return f"{self.where}: {self.says}"


def digest(configuration: JsonObject) -> str:
    """Of what it configures, whatever it says that it is based on."""
    body = {name: value for name, value in configuration.items() if name != BASED_ON}
    return hashlib.sha256(rfc8785.dumps(body)).hexdigest()


def changes(before: JsonObject, after: JsonObject) -> list[Change]:
    """In the order of the document."""
    return [
        *_fields("provider", _object(before["provider"]), _object(after["provider"])),
        *_services(before, after),
    ]


def _services(before: JsonObject, after: JsonObject) -> Iterator[Change]:
    old, new = _by("slug", before["services"]), _by("slug", after["services"])
    for slug, service in new.items():
        if slug not in old:
            yield Change(slug, f"a new service, {service['state']}")
        yield from _fields(slug, old.get(slug), service)
        yield from _upstreams(slug, old.get(slug, {}), service)
        yield from _routes(slug, old.get(slug, {}), service)
    for slug in old.keys() - new.keys():
        if old[slug]["state"] == "published":
            yield Change(slug, "not in the document: withdrawn, running grants go on")


def _upstreams(slug: str, before: JsonObject, after: JsonObject) -> Iterator[Change]:
    old, new = _by("url", before.get("upstreams")), _by("url", after.get("upstreams"))
    for url, upstream in new.items():
        if url not in old:
            yield Change(slug, f"calls go to {url} too" if old else f"calls go to {url}")
        elif old[url] != upstream:
            weights = f"{old[url]['weight']} → {upstream['weight']}"
            yield Change(slug, f"the weight of {url}: {weights}")
    for url in [url for url in old if url not in new]:
        yield Change(slug, f"calls no longer go to {url}")


def _routes(slug: str, before: JsonObject, after: JsonObject) -> Iterator[Change]:
    old, new = _by("slug", before.get("routes")), _by("slug", after.get("routes"))
    for name, route in new.items():
        where = f"{slug}/{name}"
        if name not in old:
            methods = cast("list[str]", route["methods"])
            yield Change(where, f"a new route, {' '.join(methods) or 'any method'} {route['path']}")
        yield from _fields(where, old.get(name), route)
        yield from _prices(where, old.get(name, {}), route)
    for name in [name for name in old if name not in new]:
        yield Change(f"{slug}/{name}", "the route is removed, and its prices are sold no more")


def _prices(where: str, before: JsonObject, after: JsonObject) -> Iterator[Change]:
    old, new = _offers(before), _offers(after)
    for (name, state), price in new.items():
        known = old.get((name, state))
        if known is None and state == "published":
            yield Change(f"{where}, {name}", f"on sale: {_terms(price)}")
        elif known is None:
            yield Change(f"{where}, {name}", f"a new draft: {_terms(price)}")
        elif known != price and state == "published":
            said = "a new version is published; running grants are not changed"
            yield Change(f"{where}, {name}", f"{said}: {_terms(known)} → {_terms(price)}")
        elif known != price:
            yield Change(f"{where}, {name}", f"the draft: {_terms(known)} → {_terms(price)}")
    for name, state in [offer for offer in old if offer not in new]:
        said = "no longer sold" if state == "published" else "the draft is deleted"
        yield Change(f"{where}, {name}", said)


def _fields(where: str, before: JsonObject | None, after: JsonObject) -> Iterator[Change]:
    for name, value in after.items():
        if before is None or name in PARTS or before.get(name) == value:
            continue
        label = name.replace("_", " ")
        yield Change(where, f"{label}: {_shown(before.get(name))} → {_shown(value)}")


def _shown(value: Json) -> str:
    if isinstance(value, list):
        value = ", ".join(str(each) for each in value)
    if isinstance(value, str) and (len(value) > SHOWN_LENGTH_MAX or "\n" in value):
        return plans.counted(len(value), "character")
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if value not in {None, ""} else "nothing"


def _terms(price: JsonObject) -> str:
    """As a buyer reads them, and all that differs between two versions."""
    said = [f"{price['price']} {price['asset']} for {_lasts(price)}"]
    said += [limit.words() for limit in parse_limits(price["limits"])]
    if price["starts"] != "purchase":
        said.append("from the first call")
    if price["charge"] != "success":
        said.append("every call counts")
    if price["adjustable"]:
        said.append("the upstream may take credits")
    if price["meter"] is not None:
        said.append("metered")
    return ", ".join(said)


def _lasts(price: JsonObject) -> str:
    return plans.show_duration(cast("int", price["access_seconds"]))


def _offers(route: JsonObject) -> dict[tuple[str, str], JsonObject]:
    prices = cast("Sequence[JsonObject]", route.get("prices") or [])
    return {(str(price["name"]), str(price["state"])): price for price in prices}


def _by(key: str, rows: Json) -> dict[str, JsonObject]:
    return {str(row[key]): row for row in cast("Sequence[JsonObject]", rows or [])}


def _object(value: Json) -> JsonObject:
    return dict(cast("Mapping[str, Json]", value))
