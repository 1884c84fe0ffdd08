"""The stranger's test: every address of the console, as another provider and as nobody."""

import re
from collections.abc import Iterator

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db.models import ForeignKey, Model
from django.test import Client, RequestFactory
from django.urls import reverse

from marketplace import quoting
from marketplace.models import (
    Provider,
    Quote,
    Review,
    Route,
    RouteQuote,
    Service,
    ServiceNote,
    Upstream,
)
from tests.marketplace import shop
from tests.marketplace.admin.people import SEVERAL, People, management, price_fields

MODELS = [Provider, Service, Route, RouteQuote, Quote]
TOKEN = re.compile(r"[A-Za-z0-9]{32,}")  # Of a form, say: by chance it may spell a name.


@pytest.fixture
def albas_rows(people: People) -> list[object]:
    """One row of each kind, all of Alba's, all with a history."""
    quoting.signed(people.sold, shop.NOW_S)
    service = people.sold.route.service
    review = Review.objects.create(service=service, buyer="GALBA", grant="g", stars=5, text="alba")
    note = ServiceNote.objects.create(service=service, title="alba's note")
    rows = [people.alba, service, people.sold.route, people.sold, Quote.objects.get()]
    rows += [review, note]
    LogEntry.objects.log_actions(people.alba.owner_id, rows, 2, change_message="alba changed it")
    return rows


def addresses(rows: list[object]) -> Iterator[str]:
    """Everything that the console answers, for these rows and for none."""
    yield reverse("admin:index")
    yield reverse("admin:app_list", args=["marketplace"])
    for model in admin.site._registry:
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        listed = reverse(f"admin:{name}_changelist")
        yield listed
        yield f"{listed}?q=alba"
        yield reverse(f"admin:{name}_add")
        for field in model._meta.fields:
            if isinstance(field, ForeignKey):
                yield from prefilled(rows, listed, reverse(f"admin:{name}_add"), field)
    for row in rows:
        yield from pages_of(row)
    upstream = Upstream.objects.get(service__slug="alba-weather")
    yield f"/admin/marketplace/service/{upstream.service_id}/secret/"
    yield f"/admin/marketplace/service/{upstream.service_id}/upstreams/{upstream.pk}/test/"


def prefilled(rows: list[object], listed: str, add: str, field: ForeignKey) -> Iterator[str]:
    meta = field.model._meta
    source = f"app_label={meta.app_label}&model_name={meta.model_name}&field_name={field.name}"
    yield f"/admin/autocomplete/?term=&{source}"
    yield f"/admin/autocomplete/?term=alba&{source}"
    for row in rows:
        if isinstance(row, field.remote_field.model):
            yield f"{add}?{field.name}={row.pk}"
            yield f"{add}?{field.name}={row.pk}&_popup=1&_to_field=id"
            yield f"{listed}?{field.name}={row.pk}"
            yield f"{listed}?{field.name}__id__exact={row.pk}"


def pages_of(row: object) -> Iterator[str]:
    meta = row._meta
    for page in ("change", "history", "delete"):
        address = reverse(f"admin:{meta.app_label}_{meta.model_name}_{page}", args=[row.pk])
        yield address
        yield f"{address}?_to_field=id&_popup=1"
    kind = ContentType.objects.get_for_model(type(row))
    yield f"/admin/r/{kind.pk}/{row.pk}/"


def seen(client: Client, address: str) -> str:
    """Everything that an answer shows, where it leads to included, what was asked for left out."""
    asked = [client.get(address)]
    if "?" not in address:
        asked.append(client.post(address, {"post": "yes"}))
    shown = "".join(
        response.content.decode() + response.headers.get("Location", "")
        for response in asked
        if response.status_code != 405
    )
    shown = TOKEN.sub("", shown).lower()
    for echo in ('value="alba"', "q=alba", "q%3dalba", "term=alba", "term%3dalba"):
        shown = shown.replace(echo, "")
    return shown


def test_second_provider_sees_nothing_of_the_first(
    people: People, albas_rows: list[object]
) -> None:
    visited = list(addresses(albas_rows))
    leaks = [address for address in visited if "alba" in seen(people.as_bruno, address)]
    assert leaks == []
    assert len(visited) > 80


def test_second_provider_sees_its_own_everywhere(people: People) -> None:
    for model in (Provider, Service, Route, RouteQuote):
        listed = reverse(f"admin:marketplace_{model._meta.model_name}_changelist")
        assert "bruno" in people.as_bruno.get(listed).content.decode().lower()
    form = people.as_bruno.get(reverse("admin:marketplace_routequote_add")).content.decode()
    assert "bruno-files/bruno-get" in form
    assert "alba" not in form


def test_stranger_is_led_to_the_login_and_sees_nothing(
    client: Client, people: People, albas_rows: list[object]
) -> None:
    for address in addresses(albas_rows):
        response = client.get(address)
        assert response.status_code in {302, 404, 405}
        assert response.status_code != 302 or response.headers["Location"].startswith(
            "/admin/login/"
        )
        assert b"Alba" not in response.content


def test_row_that_was_not_filtered_is_refused_all_the_same(
    rf: RequestFactory, people: People, albas_rows: list[Model]
) -> None:
    for owner, own in ((people.alba.owner, True), (people.bruno.owner, False)):
        request = rf.get("/")
        request.user = owner
        for row in albas_rows:
            kept = admin.site.get_model_admin(type(row))
            may = kept.has_view_permission(request, row), kept.has_change_permission(request, row)
            assert may == (own and not isinstance(row, Quote), own and not isinstance(row, Quote))
            assert not kept.has_delete_permission(request, row) or own


def test_user_who_sells_nothing_sees_nothing(people: People, albas_rows: list[object]) -> None:
    nobody = User.objects.create_user("nobody", is_staff=True)
    Provider.objects.filter(pk=people.bruno.pk).update(owner=nobody)
    for address in addresses(albas_rows):
        if "?" not in address:
            page = people.as_bruno.get(address).content.decode()
            assert "alba" not in TOKEN.sub("", page).lower()


def test_staff_see_all(people: People, albas_rows: list[object]) -> None:
    for model in MODELS:
        listed = reverse(f"admin:marketplace_{model._meta.model_name}_changelist")
        assert people.as_staff.get(listed).status_code == 200
    page = people.as_staff.get(reverse("admin:marketplace_service_changelist")).content.decode()
    assert "Alba-Weather" in page
    assert "Bruno-Files" in page
    for row in albas_rows:
        for address in list(pages_of(row))[:4:2]:
            assert people.as_staff.get(address).status_code == 200


def test_nothing_of_the_first_is_changed_by_the_second(
    people: People, albas_rows: list[object]
) -> None:
    before = {model: list(model.objects.order_by("pk").values()) for model in MODELS}
    acts = price_fields(name="taken", _publish="1", post="yes")
    for address in addresses(albas_rows):
        if "?" not in address:
            people.as_bruno.post(address, acts)
    sold = reverse("admin:marketplace_routequote_change", args=[people.sold.pk])
    people.as_bruno.post(sold, acts | {"_retire": "1"})
    assert {model: list(model.objects.order_by("pk").values()) for model in MODELS} == before


def test_foreign_row_chosen_by_hand_is_refused(people: People) -> None:
    foreign = price_fields(route=people.sold.route_id, name="Mine", _publish="1")
    page = people.as_bruno.post(reverse("admin:marketplace_routequote_add"), foreign)
    assert "Select a valid choice" in page.content.decode()
    route = {"service": people.sold.route.service_id, "name": "x", "slug": "x", "path": "/x"}
    page = people.as_bruno.post(
        reverse("admin:marketplace_route_add"), route | management("quotes", 0, 0)
    )
    assert "Select a valid choice" in page.content.decode()
    assert not Route.objects.filter(slug="x").exists()
    assert not RouteQuote.objects.filter(name="Mine").exists()


def test_foreign_inline_row_is_not_taken_over(people: People) -> None:
    """Another provider's upstream, named in the form of one's own service."""
    own = people.theirs.route.service
    foreign = Upstream.objects.get(service__slug="alba-weather")
    fields = {
        "name": own.name,
        "slug": own.slug,
        "tagline": own.tagline,
        "state": own.state,
        "connect_ms": 5000,
        "first_byte_ms": 5000,
        "idle_ms": 5000,
        **SEVERAL,
        **management("upstreams", 1, 1),
        "upstreams-0-id": foreign.pk,
        "upstreams-0-service": own.pk,
        "upstreams-0-url": "http://127.0.0.1:9999/",
        "upstreams-0-weight": 1,
        **management("routes", 0, 0),
    }
    address = reverse("admin:marketplace_service_change", args=[own.pk])
    response = people.as_bruno.post(address, fields)
    assert response.status_code in {200, 302}
    foreign.refresh_from_db()
    assert (foreign.service.slug, foreign.url) == ("alba-weather", "http://127.0.0.1:9000/base")


def test_provider_field_is_not_taken_from_the_form(people: People) -> None:
    fields = {
        "provider": people.alba.pk,
        "name": "Sneaky",
        "slug": "sneaky",
        "tagline": "x",
        "state": "draft",
        "host": "sneaky.example",
        "root_path": "/sneaky",
        "connect_ms": 5000,
        "first_byte_ms": 5000,
        "idle_ms": 5000,
        **SEVERAL,
        **management("upstreams", 0, 0),
        **management("routes", 0, 0),
    }
    response = people.as_bruno.post(reverse("admin:marketplace_service_add"), fields)
    assert response.status_code == 302
    made = Service.objects.get(slug="sneaky")
    assert (made.provider, made.host, made.root_path) == (people.bruno, None, None)
