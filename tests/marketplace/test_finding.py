"""What many services have is looked for in another way than what few have; found alike."""

import pytest
from django.http import QueryDict

from marketplace import browsing, finding
from marketplace.searching import Search
from tests.marketplace import shop

pytestmark = pytest.mark.usefixtures("database")
ASKED = {
    "q=wave": 30,
    "q=wave+one": 30,
    "q=wave&sort=price&asset=USDC": 30,
    "q=zyzzyva&sort=newest": 0,
    "q=wave&sort=newest": 30,
    "q=hour+wave&model=usage": 30,
    "q=tide&sort=latency&verified=1": 0,
    "q=tide&asset=USDC&sort=newest": 10,
    "q=hour&region=asia&sort=relevance": 15,
    "region=asia&sort=price&asset=USDC": 15,
    "model=usage": 30,
    "asset=USDC&sort=rating": 30,
    "asset=EURC": 0,
}


def test_many_are_found_as_few_are(monkeypatch: pytest.MonkeyPatch) -> None:
    owner = shop.provider()
    for number in range(30):
        name = f"{'wave' if number % 3 else 'tide'}-{number}"
        said = {"description": "By the wave. One each hour.", "regions": ["asia"][number % 2 :]}
        made = shop.service(owner, name, **said)
        shop.price(shop.route(made, "all"), amount=100 + number % 7)

    def found() -> list[tuple[int, list[int]]]:
        walked = []
        for asked in ASKED:
            search = Search.of(QueryDict(asked))
            first = browsing.page(search, after="", before="")
            after = QueryDict(first.next.removeprefix("?")).get("after", "")
            rest = browsing.page(search, after=after, before="").cards if after else []
            walked.append((first.total, [each.service for each in [*first.cards, *rest]]))
        return walked

    few = found()
    assert [total for total, _ in few] == [len(shown) for _, shown in few] == [*ASKED.values()]
    monkeypatch.setattr(finding, "FEW", 0)
    assert found() == few
    monkeypatch.setattr(finding, "COUNT_MAX", 0)
    assert [shown for _, shown in found()] == [shown for _, shown in few]
    monkeypatch.setattr(finding, "_are_frequent", lambda *_, **__: True)
    assert [shown for _, shown in found()] == [shown for _, shown in few]
