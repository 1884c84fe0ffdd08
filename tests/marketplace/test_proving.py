import re
from collections.abc import Iterator
from datetime import timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.test import Client
from pytest_django.fixtures import Settings

from gateway.addresses import Policy
from marketplace import listing, proving
from marketplace.fetching import Unfetched
from marketplace.models import DomainProof, Service, Standing
from marketplace.models.proofs import GRACE
from tests.fakes import names
from tests.fakes.names import Names
from tests.marketplace import shop

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def known(settings: Settings) -> Iterator[Names]:
    """What the DNS says: at first nothing."""
    with names.answering() as answering:
        settings.DNS_RESOLVERS = [("127.0.0.1", answering.port)]
        yield answering


def proof(name: str = "Alba") -> DomainProof:
    owner = shop.provider(name)
    return DomainProof.objects.create(provider=owner, domain=f"{name.lower()}.example")


class Web:
    """What is at each address."""

    def __init__(self, **files: str) -> None:
        self.files = files
        self.asked: list[str] = []

    def __call__(self, url: str, _policy: Policy, _most: int) -> bytes:
        self.asked.append(url)
        domain = url.split("/")[2].partition(".")[0]
        if domain not in self.files:
            raise Unfetched("The answer is 404, not 200.")
        return self.files[domain].encode()


def test_a_file_with_the_line_proves_the_domain() -> None:
    found = proof()
    web = Web(alba=f"# ours\r\n  {found.line}\r\n")
    assert proving.check(found, shop.NOW, web)
    assert found.holds
    assert web.asked == ["https://alba.example/.well-known/apicharge-domain.txt"]


def test_a_record_with_the_line_proves_it_too_and_the_file_is_not_asked_for(known: Names) -> None:
    found, web = proof(), Web()
    known.texts["_apicharge.alba.example"] = ["v=spf1 -all", found.line]
    assert proving.check(found, shop.NOW, web)
    assert (found.holds, web.asked) == (True, [])
    known.texts["_apicharge.alba.example"] = ["v=spf1 -all", f"{found.line}0"]
    assert not proving.check(found, shop.NOW, web)
    assert (
        found.problem == "A TXT record is there, but does not say it. The answer is 404, not 200."
    )


@pytest.mark.parametrize("said", ["", "apicharge-domain=", "apicharge-domain=0000", "x{line}x"])
def test_a_file_without_it_does_not(said: str) -> None:
    found = proof()
    web = Web(alba=said.format(line=found.line))
    assert not proving.check(found, shop.NOW, web)
    assert not found.holds
    assert "does not say the line" in found.problem


def test_another_provider_s_line_proves_nothing() -> None:
    alba, bruno = proof("Alba"), proof("Bruno")
    assert not proving.check(bruno, shop.NOW, Web(bruno=alba.line))


def test_the_mark_outlives_a_short_outage_and_no_longer() -> None:
    found = proof()
    proving.check(found, shop.NOW, Web(alba=found.line))
    proving.check(found, shop.NOW + GRACE / 2, Web())
    assert found.holds
    assert "404" in found.problem
    proving.check(found, shop.NOW + GRACE, Web())
    assert not found.holds


def test_domains_are_looked_at_again_each_day_the_longest_unseen_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = proof("Alba"), proof("Bruno")
    web = Web(alba=first.line, bruno=second.line)
    assert proving.check_due(shop.NOW, web) == 2
    assert proving.check_due(shop.NOW + timedelta(hours=23), web) == 0
    assert proving.check_due(shop.NOW + timedelta(hours=25), web) == 2
    # Whatever is not answered in time is for the next go.
    monkeypatch.setattr(proving, "BEGUN_WITHIN_S", 0.0)
    assert proving.check_due(shop.NOW + timedelta(days=9), web) == 0


def test_only_public_addresses_are_asked() -> None:
    found = proof()
    DomainProof.objects.update(domain="localhost.localdomain")
    found.refresh_from_db()
    assert not proving.check(found, shop.NOW)
    assert not found.holds


def test_catalogue_can_be_narrowed_to_who_holds_a_domain(client: Client) -> None:
    found = proof("Alba")
    shop.service(found.provider, "weather")
    shop.service(shop.provider("Bruno"), "tides")

    def shown() -> list[str]:
        page = client.get("/?verified=1").content.decode()
        assert re.search(r'name="verified" value="1" checked', page)
        assert "Verified provider" in page
        assert page.count(">verified</span>") == page.count('class="card"')
        return re.findall(r'<h3><a href="/services/(\w+)/">', page)

    assert shown() == []
    proving.check(found, shop.NOW, Web(alba=found.line))
    assert shown() == ["weather"]
    assert client.get("/?sort=newest").content.decode().count(">verified</span>") == 1
    proving.check(found, shop.NOW + GRACE * 2, Web())
    assert shown() == []
    # Going through the services anew comes to the same.
    proving.check(found, shop.NOW + GRACE * 2, Web(alba=found.line))
    Standing.objects.update(verified=False)
    listing.refresh([each.pk for each in Service.objects.all()])
    assert shown() == ["weather"]


def test_rows_of_before_know_the_proofs_at_once() -> None:
    proofs = [proof("Alba"), proof("Bruno"), proof("Carla")]
    for each in proofs:
        shop.service(each.provider, each.provider.slug)
    proving.check(proofs[0], shop.NOW, Web(alba=proofs[0].line))
    proving.check(proofs[1], shop.NOW, Web(bruno=proofs[1].line))
    proving.check(proofs[1], shop.NOW + GRACE, Web())
    Standing.objects.update(verified=False)
    import_module("marketplace.migrations.0021_verified_so_far").know_proofs(apps, None)
    assert [each.service.slug for each in Standing.objects.filter(verified=True)] == ["alba"]


def test_console_forgets_the_mark_with_the_proof_and_with_another_domain(client: Client) -> None:
    found = proof("Alba")
    shop.service(found.provider, "weather")
    client.force_login(found.provider.owner)
    page = f"/admin/marketplace/domainproof/{found.pk}/"

    def verified() -> bool:
        return Standing.objects.get().verified

    proving.check(found, shop.NOW, Web(alba=found.line))
    assert verified()
    client.post(f"{page}change/", {"domain": "other.invalid"})
    assert not verified()
    DomainProof.objects.update(domain="alba.example")
    found.refresh_from_db()
    proving.check(found, shop.NOW, Web(alba=found.line))
    assert verified()
    client.post(f"{page}delete/", {"post": "yes"})
    assert not DomainProof.objects.exists()
    assert not verified()
