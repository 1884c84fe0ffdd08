from collections.abc import Iterator

import pytest
from pytest_django.fixtures import Settings

from apicharge_site import state
from marketplace import naming
from tests.fakes import names
from tests.fakes.names import Names


@pytest.fixture
def known(settings: Settings) -> Iterator[Names]:
    with names.answering() as answering:
        settings.DNS_RESOLVERS = [("127.0.0.1", answering.port)]
        yield answering


def test_records_are_read_whole_and_what_is_not_there_is_nothing(known: Names) -> None:
    known.texts = {"a.example": ["one", "x" * 300, "a=b; c"], "b.example": []}
    assert sorted(naming.texts("a.example")) == ["a=b; c", "one", "x" * 300]
    assert naming.texts("b.example") == []
    assert naming.texts("c.example") == []
    assert known.asked == [("a.example", "TXT"), ("b.example", "TXT"), ("c.example", "TXT")]


def test_who_does_not_answer_is_not_waited_for(
    known: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(naming, "SECONDS", 0.3)
    monkeypatch.setattr(naming, "ONE_SECONDS", 0.1)
    known.silent, known.failing = {"silent.example"}, {"failing.example"}
    for name in ("silent.example", "failing.example", f"{'x' * 63}.{'y.' * 100}example", "a..b"):
        with pytest.raises(naming.Unanswered):
            naming.texts(name)


@pytest.mark.parametrize(
    ("said", "read"),
    [("9.9.9.9", ("9.9.9.9", 53)), ("[2620:fe::fe]:5353", ("2620:fe::fe", 5353))],
)
def test_resolvers_are_named_by_address_and_port(said: str, read: tuple[str, int]) -> None:
    assert state.resolvers([said]) == [read]


@pytest.mark.parametrize("said", ["dns.example", "9.9.9.9:0", "9.9.9.9:x", "https://9.9.9.9", ""])
def test_resolver_that_is_no_address_stops_the_start(said: str) -> None:
    with pytest.raises(state.Misconfigured, match="APICHARGE_DNS_RESOLVERS"):
        state.resolvers([said])
