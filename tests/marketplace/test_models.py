"""What the database itself refuses."""

from collections.abc import Callable
from functools import partial
from importlib import import_module

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import DatabaseError, connection, transaction

from marketplace import pricing, quoting
from marketplace.models import Category, Quote, RouteQuote, Service
from tests.marketplace import shop

pytestmark = pytest.mark.usefixtures("database")

TABLE = RouteQuote._meta.db_table


def raw(statement: str) -> Callable[[], None]:
    def run() -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement)

    return run


def refused(change: Callable[[], object]) -> None:
    """The change raises, and whatever it touched reads as before."""
    before = list(RouteQuote.objects.order_by("pk").values())
    with pytest.raises(DatabaseError), transaction.atomic():
        change()
    assert list(RouteQuote.objects.order_by("pk").values()) == before


CHANGES = {
    "amount": 1,
    "asset": "EURC",
    "access_seconds": 60,
    "limits": [],
    "name": "Other",
    "version": 7,
    "starts": "first_use",
    "charge": "always",
    "adjustable": True,
    "meter": {"kind": "x"},
    "state": "draft",
}


def test_update_of_any_field_of_a_published_price_is_refused() -> None:
    shop.stall()
    for field, value in CHANGES.items():
        refused(partial(RouteQuote.objects.update, **{field: value}))


STATEMENTS = [
    f"UPDATE {TABLE} SET amount = 1",
    f"UPDATE {TABLE} SET amount = amount + 1, state = 'retired', retired_at = published_at",
    f"UPDATE {TABLE} SET state = 'draft', published_at = NULL",
    f"UPDATE {TABLE} SET published_at = created_at",
    f"UPDATE {TABLE} SET route_id = route_id + 1",
    f"DELETE FROM {TABLE}",
]


def test_raw_sql_on_a_published_price_is_refused() -> None:
    shop.stall()
    for statement in STATEMENTS:
        refused(raw(statement))


def test_replacing_a_published_row_is_refused() -> None:
    price = shop.stall()
    if connection.vendor == "sqlite":
        refused(raw(f"INSERT OR REPLACE INTO {TABLE} SELECT * FROM {TABLE}"))
    refused(lambda: RouteQuote.objects.filter(pk=price.pk)._raw_delete("default"))


def test_queryset_and_instance_deletion_are_refused() -> None:
    price = shop.stall()
    refused(lambda: RouteQuote.objects.all().delete())
    refused(price.delete)
    price.amount = 9
    refused(price.save)


def test_retired_price_does_not_change_either() -> None:
    price = shop.stall()
    pricing.retire(price, shop.NOW)
    refused(lambda: RouteQuote.objects.update(amount=1))
    refused(lambda: RouteQuote.objects.update(state="published", retired_at=None))
    refused(lambda: RouteQuote.objects.update(retired_at=shop.NOW))
    refused(lambda: RouteQuote.objects.all().delete())


def test_draft_may_change_and_go() -> None:
    draft = shop.draft(shop.route(shop.service(shop.provider())))
    assert RouteQuote.objects.update(amount=1) == 1
    assert draft.delete()[0] == 1


def test_two_published_versions_of_one_offer_are_refused() -> None:
    price = shop.stall()
    draft = shop.draft(price.route)
    assert draft.version == 2
    refused(lambda: RouteQuote.objects.filter(pk=draft.pk).update(state="published"))
    refused(
        lambda: RouteQuote.objects.filter(pk=draft.pk).update(
            state="published", published_at=shop.NOW
        )
    )


def test_second_draft_of_one_offer_is_refused() -> None:
    route = shop.route(shop.service(shop.provider()))
    shop.draft(route)
    refused(lambda: shop.draft(route))


NONSENSE: list[dict[str, object]] = [
    {"amount": -1},
    {"access_seconds": 0},
    {"access_seconds": 2**40},
    {"version": 0},
    {"starts": "later"},
    {"charge": "never"},
    {"state": "sold"},
    {"state": "retired"},
]


def test_row_that_makes_no_sense_is_refused() -> None:
    shop.draft(shop.route(shop.service(shop.provider())))
    for change in NONSENSE:
        refused(partial(RouteQuote.objects.update, **change))


def test_signed_quote_never_changes() -> None:
    price = shop.stall()
    quoting.signed(price, shop.NOW_S)
    with pytest.raises(DatabaseError), transaction.atomic():
        Quote.objects.update(body={})
    with pytest.raises(DatabaseError), transaction.atomic():
        raw("UPDATE marketplace_quote SET expires_at = expires_at + 1")()


@pytest.mark.parametrize("mark", ["\n", "\r"])
def test_names_are_one_line(mark: str) -> None:
    price = shop.stall()
    name = f"Two{mark}lines"
    for row in (price.route.service.provider, price.route.service, price.route):
        refused(partial(type(row).objects.filter(pk=row.pk).update, name=name))
    for row in (price.route.service.provider, price.route.service, price.route, price):
        row.name = name
        with pytest.raises(ValidationError) as told:
            row.full_clean()
        assert "One line, without line breaks or tabs." in told.value.message_dict["name"]


def test_names_and_taglines_of_before_are_made_one_line() -> None:
    """Each mark that the validator refuses: such a row could not be edited any more."""
    route = shop.stall().route
    marks = "\x01\t\x0b\x1f\x7f\x85\u2028\u2029"
    sky = [Category.objects.create(name=name, slug=f"sky-{len(name)}") for name in ("Sky", "Sky\t")]
    rows = [route.service.provider, route, *sky]
    for row in (route.service.provider, route):
        type(row).objects.filter(pk=row.pk).update(name=f"Two{marks}lines")
    service = route.service
    type(service).objects.update(tagline=f"By{marks}the  hour", name="Two  words")
    import_module("marketplace.migrations.0018_one_line").join_lines(apps, None)
    for row in (*rows, service):
        row.refresh_from_db()
        row.full_clean()
    names = [row.name for row in rows]
    assert names == ["Two lines", "Two lines", "Sky", f"Sky ({sky[1].pk})"]
    assert (service.tagline, service.name) == ("By the hour", "Two  words")


def test_a_console_of_the_release_before_makes_services_while_it_is_replaced() -> None:
    """It names none of the columns that came since."""
    shop.stall()
    new = {"id", "slug", "regions", "tags", "refunds"}
    known = ", ".join(each.column for each in Service._meta.concrete_fields if each.name not in new)
    rows = f"SELECT 'copy', {known} FROM {Service._meta.db_table}"
    raw(f"INSERT INTO {Service._meta.db_table} (slug, {known}) {rows}")()
    made = Service.objects.get(slug="copy")
    assert (made.regions, made.tags, made.refunds) == ([], [], "")
