import pytest
from django.urls import reverse
from pytest_django.fixtures import DjangoCaptureOnCommitCallbacks

from marketplace import proving
from marketplace.models import DomainProof
from tests.marketplace.admin.people import People

ADD = reverse("admin:marketplace_domainproof_add")


def test_a_provider_names_a_domain_and_is_told_what_to_do(
    people: People, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    shown = people.as_alba.post(ADD, {"domain": " Alba.Example "}, follow=True).content.decode()
    proof = DomainProof.objects.get()
    assert (proof.provider, proof.domain) == (people.alba, "alba.example")
    assert proof.line in shown
    assert people.as_alba.get(ADD).status_code == 403
    address = reverse("admin:marketplace_domainproof_change", args=[proof.pk])
    with django_capture_on_commit_callbacks(execute=True):
        people.as_alba.post(address, {"domain": "localhost.localdomain"})
    proof.refresh_from_db()
    assert proof.checked_at is not None
    assert not proof.holds
    assert people.as_bruno.get(address).status_code == 302
    assert proof.token not in people.as_bruno.get(address, follow=True).content.decode()


def test_a_changed_domain_is_not_proven_by_the_former(people: People) -> None:
    proof = DomainProof.objects.create(provider=people.alba, domain="alba.example")
    proving.check(proof, people.alba.created_at, lambda *_: proof.line.encode())
    assert proof.holds
    address = reverse("admin:marketplace_domainproof_change", args=[proof.pk])
    people.as_alba.post(address, {"domain": "other.example"})
    proof.refresh_from_db()
    assert not proof.holds


@pytest.mark.parametrize("domain", ["https://a.example", "a", "10.0.0.1", "a..b", "a.example:8000"])
def test_what_is_no_domain_is_refused(people: People, domain: str) -> None:
    people.as_alba.post(ADD, {"domain": domain})
    assert not DomainProof.objects.exists()
