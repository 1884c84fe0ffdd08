import pytest
from django.urls import reverse

from gateway.models import GrantLedger
from marketplace import pricing
from marketplace.models import Route, RouteQuote, Service
from tests.marketplace import shop
from tests.marketplace.admin.people import People, price_fields
from tests.publications import published

ADD = "/admin/marketplace/routequote/add/"


def change(price: RouteQuote) -> str:
    return reverse("admin:marketplace_routequote_change", args=[price.pk])


def versions(price: RouteQuote) -> list[tuple[int, str, int]]:
    rows = RouteQuote.objects.filter(route=price.route, name=price.name).order_by("version")
    return list(rows.values_list("version", "state", "amount"))


def offers() -> list[str]:
    services = published()["services"]
    return [
        offer["price"]["amount"]
        for service in services
        for route in service["routes"]
        for offer in route["offers"]
        if route["id"].startswith("alba")
    ]


def test_price_is_typed_in_units_and_saved_in_base_units(people: People) -> None:
    fields = price_fields(
        route=people.sold.route_id,
        name="Week pass",
        price="12.5",
        asset="EURC",
        access_count="2",
        access_unit="week",
        starts="first_use",
        calls_amount="1000",
        calls_too_amount="100",
        calls_too_renews="3600",
        down_amount="1.5",
        down_unit="GB",
        messages_down_amount="2000",
        messages_down_renews="86400",
        messages_both_amount="9000",
        credits_amount="500",
        credits_per_call="2",
        credits_max_per_call="9",
        _save="1",
    )
    assert people.as_alba.post(ADD, fields).status_code == 302
    saved = RouteQuote.objects.get(name="Week pass")
    assert (saved.state, saved.version, saved.amount) == ("draft", 1, 125_000_000)
    assert (saved.asset, saved.access_seconds, saved.starts) == ("EURC", 1_209_600, "first_use")
    assert saved.limits == [
        {"kind": "calls", "count": 1000, "window_seconds": None},
        {"kind": "calls", "count": 100, "window_seconds": 3600},
        {"kind": "data", "direction": "down", "bytes": 1_500_000_000, "window_seconds": None},
        {"kind": "messages", "direction": "down", "count": 2000, "window_seconds": 86400},
        {"kind": "messages", "direction": "both", "count": 9000, "window_seconds": None},
        {
            "kind": "credits",
            "credits": 500,
            "per_call": 2,
            "max_per_call": 9,
            "per_unit": None,
            "window_seconds": None,
        },
    ]


def test_limits_that_refill_are_typed_as_people_say_them_and_shown_again(people: People) -> None:
    fields = price_fields(
        route=people.sold.route_id,
        name="Office hours",
        rate_amount="100",
        rate_window="10",
        speed_down_amount="1.5",
        speed_down_speed="MB",
        concurrency_amount="5",
        schedule_amount="Mon-Fri 9:00-17:00, Sat 10:00-14:00",
        schedule_zone="Europe/Berlin",
        _save="1",
    )
    assert people.as_alba.post(ADD, fields).status_code == 302
    saved = RouteQuote.objects.get(name="Office hours")
    limits = [
        {"kind": "rate", "count": 100, "window_seconds": 10, "burst": None},
        {
            "kind": "bandwidth",
            "direction": "down",
            "bytes_per_second": 1_500_000,
            "window_seconds": 1,
        },
        {"kind": "concurrency", "count": 5},
        {
            "kind": "schedule",
            "timezone": "Europe/Berlin",
            "windows": [
                {
                    "days": ["mon", "tue", "wed", "thu", "fri"],
                    "start": "09:00",
                    "end": "17:00",
                },
                {"days": ["sat"], "start": "10:00", "end": "14:00"},
            ],
        },
    ]
    assert [limit for limit in saved.limits if limit["kind"] != "calls"] == limits
    page = people.as_alba.get(change(saved)).content.decode()
    assert "Mon-Fri 09:00-17:00, Sat 10:00-14:00" in page


def test_hours_that_cannot_be_read_are_said_at_their_field(people: People) -> None:
    fields = price_fields(route=people.sold.route_id, schedule_amount="office hours", _save="1")
    page = people.as_alba.post(ADD, fields).content.decode()
    assert "Write hours such as Mon-Fri 09:00-17:00" in page


def test_form_shows_what_is_saved_so_that_saving_again_changes_nothing(people: People) -> None:
    limits = [
        {"kind": "calls", "count": 7, "window_seconds": 90},
        {"kind": "data", "direction": "both", "bytes": 1_234_567, "window_seconds": 86_400},
        {"kind": "messages", "direction": "up", "count": 5, "window_seconds": None},
    ]
    draft = shop.draft(people.sold.route, "Odd", limits=limits, access_seconds=5_401, amount=1)
    before = RouteQuote.objects.filter(pk=draft.pk).values().get()
    form = people.as_alba.get(change(draft)).context["adminform"].form
    shown = {name: form[name].value() for name in form.fields}
    sent = {name: value for name, value in shown.items() if value not in {None, False}}
    assert people.as_alba.post(change(draft), sent | {"_save": "1"}).status_code == 302
    assert RouteQuote.objects.filter(pk=draft.pk).values().get() == before


def test_save_and_publish_puts_it_on_sale_at_once(people: People) -> None:
    fields = price_fields(route=people.sold.route_id, name="Now", price="0.0000001", _publish="1")
    people.as_alba.post(ADD, fields)
    assert RouteQuote.objects.get(name="Now").state == "published"
    assert offers() == ["1", "2500000"]


def test_editing_a_published_price_makes_a_new_version(people: People) -> None:
    GrantLedger.objects.create(
        grant_id="ab" * 32,
        route="alba-weather/alba-day",
        limits=[],
        not_before=0,
        expires_at=4_000_000_000,
    )
    page = people.as_alba.get(change(people.sold)).content.decode()
    assert "Save and publish version 2" in page
    fields = price_fields(price="3", calls_amount="5", _publish="1")
    response = people.as_alba.post(change(people.sold), fields)
    assert response.status_code == 302
    assert versions(people.sold) == [(1, "retired", 2_500_000), (2, "published", 30_000_000)]
    assert offers() == ["30000000"]
    people.sold.refresh_from_db()
    assert people.sold.limits == [{"kind": "calls", "count": 1000, "window_seconds": None}]


def test_draft_of_a_new_version_leaves_the_old_one_on_sale(people: People) -> None:
    people.as_alba.post(change(people.sold), price_fields(price="9", _save="1"))
    assert versions(people.sold) == [(1, "published", 2_500_000), (2, "draft", 90_000_000)]
    again = people.as_alba.post(change(people.sold), price_fields(price="8", _save="1"))
    assert "There is a draft of this offer already" in again.content.decode()
    assert offers() == ["2500000"]


def test_name_and_route_of_a_published_price_are_not_taken_from_the_form(people: People) -> None:
    sent = price_fields(name="Other", route=people.theirs.route_id, _publish="1")
    people.as_alba.post(change(people.sold), sent)
    assert [version for version, _, _ in versions(people.sold)] == [1, 2]
    assert not RouteQuote.objects.filter(name="Other").exists()


def test_stop_selling_retires_and_a_retired_price_is_read_only(people: People) -> None:
    assert people.as_alba.post(change(people.sold), {"_retire": "1"}).status_code == 302
    assert versions(people.sold) == [(1, "retired", 2_500_000)]
    assert offers() == []
    page = people.as_alba.get(change(people.sold)).content.decode()
    assert "kept as a record" in page
    assert '<input type="submit"' not in page
    answer = people.as_alba.post(change(people.sold), price_fields(price="1", _publish="1"))
    assert answer.status_code == 403
    assert versions(people.sold) == [(1, "retired", 2_500_000)]


def test_terms_of_an_earlier_version_are_sold_again_by_one_button(people: People) -> None:
    first = people.sold
    people.as_alba.post(change(first), price_fields(price="9", _publish="1"))
    assert "Sell these terms again" in people.as_alba.get(change(first)).content.decode()
    assert people.as_bruno.post(change(first), {"_again": "1"}).status_code == 404
    assert people.as_alba.post(change(first), {"_again": "1"}).status_code == 302
    first.refresh_from_db()
    third = RouteQuote.objects.get(route=first.route, state="published")
    assert (first.state, third.version, third.limits) == ("retired", 3, first.limits)
    assert (third.amount, third.access_seconds) == (first.amount, first.access_seconds)
    people.as_alba.post(change(third), {"_again": "1"})
    Route.objects.filter(pk=first.route_id).update(removed_at=shop.NOW)
    people.as_alba.post(change(first), {"_again": "1"})
    assert RouteQuote.objects.filter(route=first.route, name=first.name).count() == 3


def test_price_of_an_unpublished_service_is_not_said_to_be_on_sale(people: People) -> None:
    Service.objects.update(state=Service.State.DRAFT)
    said = people.as_alba.post(change(people.sold), price_fields(_publish="1"), follow=True)
    page = said.content.decode()
    assert "is on sale once Alba-Weather is published" in page
    assert "published, and on sale once its service is." in page
    routes = people.as_alba.get(reverse("admin:marketplace_route_changelist")).content.decode()
    assert "no: the service is draft" in routes
    assert offers() == []


def test_draft_can_be_deleted_and_a_published_price_cannot(people: People) -> None:
    draft = RouteQuote.objects.get(name="Alba draft")
    for price, status in ((draft, 302), (people.sold, 403)):
        address = reverse("admin:marketplace_routequote_delete", args=[price.pk])
        assert people.as_alba.post(address, {"post": "yes"}).status_code == status
    assert [price.name for price in people.sold.route.quotes.all()] == ["Hour pass"]


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("price", "", "This field is required"),
        ("price", "-1", "Write the amount in digits"),
        ("price", "2,5", "Write the amount in digits"),
        ("price", "0.00000001", "smallest part"),
        ("price", "999999999999", "largest amount"),
        ("price", "1e3", "Write the amount in digits"),
        ("asset", "DOGE", "Select a valid choice"),
        ("access_count", "0", "greater than or equal to 1"),
        ("access_count", "99999", "ten years at most"),
        ("access_unit", "century", "Select a valid choice"),
        ("name", "", "This field is required"),
        ("name", "Alba draft", "There is a draft of this offer already"),
        ("calls_amount", "0", "greater than or equal to 1"),
        ("calls_amount", "1.5", "whole number"),
        ("calls_amount", str(2**53), "less than or equal to"),
        ("calls_renews", "61", "Select a valid choice"),
        ("down_amount", "0", "must be from 1"),
        ("down_amount", "0.0000001", "decimal places"),
        ("down_amount", "99999999999999", "must be from 1"),
        ("credits_amount", "x", "whole number"),
        ("route", "999999", "Select a valid choice"),
    ],
)
def test_bad_input_is_said_at_its_field_and_changes_nothing(
    people: People, field: str, value: str, said: str
) -> None:
    before = list(RouteQuote.objects.values())
    fields = price_fields(route=people.sold.route_id, name="New", down_unit="TB", _publish="1")
    page = people.as_alba.post(ADD, fields | {field: value})
    assert page.status_code == 200
    assert said in page.content.decode()
    assert field in page.context["adminform"].form.errors
    assert list(RouteQuote.objects.values()) == before


def test_credits_that_no_call_could_use_are_refused(people: People) -> None:
    fields = price_fields(
        route=people.sold.route_id, name="New", credits_amount="5", credits_max_per_call="6"
    )
    page = people.as_alba.post(ADD, fields)
    assert "max_per_call" in page.content.decode()


def test_publishing_over_somebody_elses_newer_version_takes_the_next_number(
    people: People,
) -> None:
    pricing.publish(shop.draft(people.sold.route, amount=7), shop.NOW)
    answer = people.as_alba.post(change(people.sold), price_fields(price="1", _publish="1"))
    assert answer.status_code == 403  # It was retired in between: look at what is on sale now.
    assert versions(people.sold) == [(1, "retired", 2_500_000), (2, "published", 7)]


def test_credits_are_priced_by_tokens_and_shown_again(people: People) -> None:
    fields = price_fields(
        route=people.sold.route_id,
        name="Tokens",
        credits_amount="5000",
        credits_per_call="0",
        credits_max_per_call="50",
        by_tokens_in_credits="1",
        by_tokens_in_units="1000",
        by_tokens_out_credits="3",
        by_tokens_out_units="",
        meter_kind="usage",
        _save="1",
    )
    assert people.as_alba.post(ADD, fields).status_code == 302
    saved = RouteQuote.objects.get(name="Tokens")
    credit = next(limit for limit in saved.limits if limit["kind"] == "credits")
    assert credit["per_unit"] == [
        {"of": "tokens_in", "credits": 1, "units": 1000},
        {"of": "tokens_out", "credits": 3, "units": 1},
    ]
    assert saved.meter == {"kind": "usage", "continuous": False}
    page = people.as_alba.get(change(saved)).content.decode()
    assert 'name="by_tokens_in_units" value="1000"' in page
    assert '<option value="usage" selected>' in page
    assert people.as_alba.post(change(saved), fields | {"by_tokens_out_credits": "4"})
    saved.refresh_from_db()
    assert saved.limits[-1]["per_unit"][1]["credits"] == 4


@pytest.mark.parametrize(
    "wrong",
    [
        {"meter_kind": ""},
        {"meter_kind": "json"},
        {"meter_kind": "json", "meter_tokens_out": "/out"},
        {"meter_kind": "json", "meter_tokens_in": "in"},
        {"credits_amount": ""},
        {"by_tokens_in_credits": ""},
    ],
)
def test_what_is_priced_by_tokens_must_say_where_they_are(
    people: People, wrong: dict[str, str]
) -> None:
    fields = {
        "route": people.sold.route_id,
        "name": "Tokens",
        "credits_amount": "5000",
        "credits_max_per_call": "50",
        "by_tokens_in_credits": "1",
        "meter_kind": "usage",
        "_save": "1",
    }
    assert people.as_alba.post(ADD, price_fields(**fields | wrong)).status_code == 200
    assert not RouteQuote.objects.filter(name="Tokens").exists()
