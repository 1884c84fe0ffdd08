import json
from typing import Any

import pytest

from marketplace import importing
from marketplace.domain.structured import Malformed
from marketplace.fetching import Unfetched
from marketplace.importing import Source
from marketplace.models import ApiDocument
from tests.marketplace import shop
from tests.marketplace.documents import WEATHER

pytestmark = pytest.mark.django_db


def written(**parts: Any) -> bytes:
    return json.dumps(WEATHER | parts).encode()


def test_the_newest_import_is_the_current_one() -> None:
    service = shop.service(shop.provider())
    assert importing.current(service) is None
    first = importing.keep(service, importing.read(written()), Source.UPLOAD)
    second = importing.keep(
        service, importing.read(written(info={"title": "New"})), Source.ADDRESS, "https://a.example"
    )
    assert (first.version, second.version) == (1, 2)
    current = importing.current(service)
    assert current is not None
    assert (current.title, len(current.operations)) == ("New", 3)
    assert ApiDocument.objects.get(is_current=True) == second


def test_the_same_document_again_is_no_new_version() -> None:
    service = shop.service(shop.provider())
    kept = [importing.keep(service, importing.read(written()), Source.PASTE) for _ in range(3)]
    assert {each.pk for each in kept} == {kept[0].pk}


def test_as_many_versions_are_kept_as_are_looked_at() -> None:
    service = shop.service(shop.provider())
    for number in range(importing.KEPT + 3):
        titled = written(info={"title": f"Number {number}"})
        importing.keep(service, importing.read(titled), Source.PASTE)
    assert ApiDocument.objects.filter(service=service).count() == importing.KEPT


def test_where_the_api_runs_is_kept_apart_from_what_buyers_see() -> None:
    service = shop.service(shop.provider())
    row = importing.keep(service, importing.read(written()), Source.UPLOAD)
    assert row.servers == ["https://weather.example/base"]
    assert "weather.example" not in json.dumps(row.body)


def test_an_address_that_may_not_be_called_is_not_fetched() -> None:
    with pytest.raises(Unfetched, match="not a public address"):
        importing.fetch("http://10.0.0.1/openapi.json")


def test_what_is_no_document_is_refused_before_anything_is_kept() -> None:
    with pytest.raises(Malformed):
        importing.read(b"<html>")
