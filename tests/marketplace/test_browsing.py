"""Paging is a walk: forwards and backwards it meets every service once, in the promised order."""

import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from urllib.parse import parse_qs

import pytest
from django.http import QueryDict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketplace import browsing, listing
from marketplace.models import Service, Standing
from marketplace.searching import ORDERS, Search
from tests.marketplace import shop

NOW = datetime(2026, 11, 21, tzinfo=UTC)
COUNT = 11


@pytest.fixture
def services(db: None) -> list[int]:
    owner = shop.provider()
    made = [
        shop.service(owner, f"wave-{number}" if number % 3 else f"t-{number}")
        for number in range(COUNT)
    ]
    Service.objects.filter(slug__startswith="t-").update(description="By the wave.")
    for number, service in enumerate(made):
        assets = [("USDC", 10 + number % 4)] * (number % 2) + [("EURC", 5)] * (number % 5 == 0)
        for asset, amount in assets:
            shop.price(shop.route(service, f"r-{asset.lower()}"), amount=amount * 100, asset=asset)
    listing.refresh([service.pk for service in made], NOW)
    return [service.pk for service in made]


def walk(search: Search, address: Callable[[browsing.Page], str]) -> Iterator[list[int]]:
    after = before = ""
    while True:
        page = browsing.page(search, after=after, before=before)
        yield [card.service for card in page.cards]
        state = parse_qs(address(page).removeprefix("?"))
        after, before = (state.get(name, [""])[0] for name in ("after", "before"))
        if not (after or before):
            return


def last(search: Search) -> str:
    """The address of the last page."""
    page = browsing.page(search, after="", before="")
    address = ""
    while page.next:
        address = page.next
        after = parse_qs(page.next.removeprefix("?"))["after"][0]
        page = browsing.page(search, after=after, before="")
    return address


def test_each_is_met_once_in_each_order(
    services: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browsing, "PAGE_SIZE", 3)
    in_euro = {pk for number, pk in enumerate(services) if number % 5 == 0}
    for order, words, asset in itertools.product(ORDERS, ["", "wave"], ["", "EURC"]):
        search = Search(words=words, asset=asset, order=order)
        found = list(itertools.chain.from_iterable(walk(search, lambda page: page.next)))
        assert sorted(found) == sorted(in_euro if asset else services)


@pytest.mark.django_db
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    figures=st.lists(st.tuples(*[st.integers(0, 3)] * 4), min_size=COUNT, max_size=COUNT),
    order=st.sampled_from(list(ORDERS)),
    words=st.sampled_from(["", "wave"]),
    size=st.integers(1, 5),
)
def test_pages_are_a_partition_whatever_the_figures(
    services: list[int], figures: list[tuple[int, ...]], order: str, words: str, size: int
) -> None:
    for pk, (popularity, latency, price, age) in zip(services, figures, strict=True):
        Standing.objects.filter(pk=pk).update(
            popularity=popularity, p50_ms=latency, price_key=price, listed_since_s=age
        )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(browsing, "PAGE_SIZE", size)
        search = Search(words=words, order=order)
        forwards = list(walk(search, lambda page: page.next))
        assert all(len(page) == size for page in forwards[:-1])
        flat = list(itertools.chain.from_iterable(forwards))
        assert sorted(flat) == sorted(services)
        if address := last(search):
            asked = QueryDict(address.removeprefix("?"))
            end = browsing.page(search, after=asked["after"], before="")
            backwards = [[card.service for card in end.cards]]
            while end.previous:
                before = QueryDict(end.previous.removeprefix("?"))["before"]
                end = browsing.page(search, after="", before=before)
                backwards.append([card.service for card in end.cards])
            backwards.reverse()
            assert list(itertools.chain.from_iterable(backwards)) == flat


def test_names_come_before_what_only_speaks_of_it(services: list[int]) -> None:
    found = [
        card.service for card in browsing.page(Search(words="wave"), after="", before="").cards
    ]
    named = [pk for number, pk in enumerate(services) if number % 3]
    assert set(found[: len(named)]) == set(named)
    assert len(found) == COUNT


def test_count_is_bounded(services: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browsing, "PAGE_SIZE", 2)
    monkeypatch.setattr(browsing, "COUNT_MAX", 5)
    page = browsing.page(Search(words="wave", order="newest"), after="", before="")
    assert (page.total, page.more_than_counted) == (5, True)
    monkeypatch.setattr(browsing, "COUNT_MAX", COUNT)
    page = browsing.page(Search(words="wave"), after="", before="")
    assert (page.total, page.more_than_counted) == (COUNT, False)
