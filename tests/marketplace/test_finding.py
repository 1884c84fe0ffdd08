"""What many services have is looked for in another way than what few have; found alike."""

import pytest
from django.http import QueryDict

from marketplace import browsing, finding
from marketplace.searching import Search
from tests.marketplace import shop

pytestmark = pytest.mark.usefixtures("database")
ASKED = ["q=wave", "q=wave+one", "q=wave&sort=price&asset=USDC", "q=zyzzyva&sort=newest"]
ASKED += ["region=asia&sort=price&asset=USDC", "q=hour&region=asia&sort=relevance"]
ASKED += ["q=wave&sort=newest", "q=hour+wave&model=usage", "q=tide&sort=latency&verified=1"]


def test_many_are_found_as_few_are(monkeypatch: pytest.MonkeyPatch) -> None:
    owner = shop.provider()
    for number in range(30):
        name = f"{'wave' if number % 3 else 'tide'}-{number}"
        said = {"description": "By the wave. One each hour.", "regions": ["asia"][number % 2 :]}
        made = shop.service(owner, name, **said)
        shop.price(shop.route(made, "all"), amount=100 + number % 7)

    def found() -> list[tuple[list[int], list[int]]]:
        walked = []
        for asked in ASKED:
            search = Search.of(QueryDict(asked))
            first = browsing.page(search, after="", before="")
            after = QueryDict(first.next.removeprefix("?")).get("after", "")
            rest = browsing.page(search, after=after, before="").cards if after else []
            walked.append(([each.service for each in first.cards], [each.service for each in rest]))
        return walked

    few = found()
    assert [len(first) + len(rest) for first, rest in few] == [30, 30, 30, 0, 15, 15, 30, 30, 0]
    monkeypatch.setattr(finding, "FEW", 0)
    assert found() == few
    monkeypatch.setattr(finding, "COUNT_MAX", 0)
    assert found() == few
    monkeypatch.setattr(finding, "_are_frequent", lambda *_, **__: True)
    assert found() == few
