from django.test import Client
from django.urls import reverse

from marketplace.models import Review, ReviewReport, ServiceNote
from tests.marketplace.admin.people import People, management


def reviewed(people: People) -> Review:
    service = people.sold.route.service
    review = Review.objects.create(service=service, buyer="GBUYER", grant="g", stars=2, text="Slow")
    ReviewReport.objects.create(review=review, reason="spam", client_network="192.0.2.0/24")
    return review


def change(client: Client, review: Review, **fields: object) -> str:
    address = reverse("admin:marketplace_review_change", args=[review.pk])
    shown = client.get(address).content.decode()
    count = 1 if "192.0.2.0/24" in shown else 0
    posted = management("reports", count, count) | fields
    if count:
        posted |= {"reports-0-id": review.reports.get().pk, "reports-0-review": review.pk}
    assert client.post(address, posted).status_code == 302
    review.refresh_from_db()
    return shown


def test_provider_answers_and_changes_nothing_else(people: People) -> None:
    review = reviewed(people)
    shown = change(
        people.as_alba, review, reply="It is faster now.", stars=5, text="Great", hidden_because="x"
    )
    assert (review.reply, review.stars, review.text) == ("It is faster now.", 2, "Slow")
    assert review.replied_at is not None
    assert review.hidden_at is None
    assert "192.0.2.0/24" not in shown


def test_staff_hide_with_a_reason_and_show_again(people: People) -> None:
    review = reviewed(people)
    assert "192.0.2.0/24" in change(people.as_staff, review, reply="", hidden_because="Spam")
    assert review.hidden_at is not None
    assert not Review.objects.shown().exists()
    change(people.as_staff, review, reply="", hidden_because="")
    assert review.hidden_at is None


def test_nobody_deletes_or_adds_what_buyers_said(people: People) -> None:
    review = reviewed(people)
    for client in (people.as_alba, people.as_bruno):
        address = reverse("admin:marketplace_review_delete", args=[review.pk])
        client.post(address, {"post": "yes"})
        assert client.get(reverse("admin:marketplace_review_add")).status_code == 403
    assert Review.objects.exists()


def test_provider_writes_the_changelog_of_its_own_services(people: People, client: Client) -> None:
    add = reverse("admin:marketplace_servicenote_add")
    own, other = people.sold.route.service, people.theirs.route.service
    for service in (own, other):
        people.as_alba.post(
            add, {"service": service.pk, "kind": "note", "title": "Model 2", "text": "Better."}
        )
    assert [note.service_id for note in ServiceNote.objects.all()] == [own.pk]
    assert "Model 2" in client.get(f"/services/{own.slug}/").content.decode()


def test_incident_stands_above_the_page_until_it_is_over(people: People, client: Client) -> None:
    service = people.sold.route.service
    told = {"service": service.pk, "title": "Slow", "text": "We look."}
    people.as_alba.post(reverse("admin:marketplace_servicenote_add"), told | {"kind": "incident"})
    note = ServiceNote.objects.get()
    page = client.get(f"/services/{service.slug}/").content.decode()
    assert "Incident: Slow" in page.partition('id="plans"')[0]
    change = reverse("admin:marketplace_servicenote_change", args=[note.pk])
    assert "The incident is over" in people.as_alba.get(change).content.decode()
    people.as_bruno.post(change, told | {"kind": "incident", "over": "on"})
    people.as_alba.post(change, told | {"kind": "incident", "over": "on"})
    note.refresh_from_db()
    assert note.over_at is not None
    page = client.get(f"/services/{service.slug}/").content.decode()
    assert "Incident: Slow" not in page
    assert "over since" in page
    people.as_alba.post(change, told | {"kind": "incident"})
    note.refresh_from_db()
    assert note.over_at is None
