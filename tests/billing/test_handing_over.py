"""A code stands for a token once, in one place, for a minute."""

import time
from dataclasses import replace

import pytest
from pytest_django.fixtures import DjangoAssertNumQueries

from billing import handing_over
from billing.domain.errors import TokenRefused
from billing.handing_over import Place
from billing.models import HandOver, Purchase
from tests.billing.api.speaking import access_token
from tests.billing.pages.conftest import Till, till  # noqa: F401 - a fixture
from tests.billing.working import BUYER

PLACE = Place("https://api.example", "/gate/weather", "/gate/weather/forecast", "/gate/weather/x")


@pytest.fixture
def bought(till: Till) -> Purchase:  # noqa: F811
    return till.paid()


def given(purchase: Purchase, *, now_s: float, place: Place = PLACE) -> str:
    token = access_token(purchase.granted.token, BUYER)
    return handing_over.give(purchase, token, place, now_s=now_s).partition("code=")[2]


def test_code_is_taken_once_and_its_row_is_gone(bought: Purchase) -> None:
    now_s = time.time()
    code = given(bought, now_s=now_s)
    assert code not in str(HandOver.objects.values_list())
    taken = handing_over.take(code, host="api.example", base="/gate/weather", now_s=now_s + 1)
    assert taken is not None
    assert taken.token.startswith(bought.granted.token)
    assert (taken.cookie_path, taken.back) == (PLACE.cookie_path, PLACE.back)
    assert 0 < taken.seconds <= 50
    assert handing_over.take(code, host="api.example", base="/gate/weather", now_s=now_s) is None
    assert not HandOver.objects.exists()


@pytest.mark.parametrize(
    ("host", "base", "after_s"),
    [
        ("evil.example", "/gate/weather", 1),
        ("api.example", "/gate/other", 1),
        ("api.example", "", 1),
        ("api.example", "/gate/weather", 61),
    ],
)
def test_code_elsewhere_or_too_late_is_spent_for_nothing(
    bought: Purchase, host: str, base: str, after_s: int
) -> None:
    now_s = time.time()
    code = given(bought, now_s=now_s)
    assert handing_over.take(code, host=host, base=base, now_s=now_s + after_s) is None
    assert handing_over.take(code, host="api.example", base="/gate/weather", now_s=now_s) is None


@pytest.mark.parametrize("code", ["", "x" * 43, "x" * 5_000, "../../etc"])
def test_what_is_no_code_is_nothing(db: None, code: str) -> None:
    assert handing_over.take(code, host="api.example", base="", now_s=0) is None


def test_only_a_token_of_the_grant_is_handed_over(bought: Purchase) -> None:
    now_s, granted = time.time(), bought.granted.token
    other = Purchase(pk="ab" * 32)
    expired = access_token(granted, BUYER, expires_at=int(now_s) - 1)
    for purchase, token in [(other, access_token(granted, BUYER)), (bought, granted)]:
        with pytest.raises(TokenRefused):
            handing_over.give(purchase, token, PLACE, now_s=now_s)
    for token in (expired, "", "nonsense"):
        with pytest.raises(TokenRefused):
            handing_over.give(bought, token, PLACE, now_s=now_s)
    assert not HandOver.objects.exists()


def test_what_was_not_fetched_is_forgotten(bought: Purchase) -> None:
    now_s = time.time()
    given(bought, now_s=now_s)
    given(bought, now_s=now_s, place=replace(PLACE, base="/gate/other"))
    assert handing_over.tidy(now_s=now_s) == 0
    assert handing_over.tidy(now_s=now_s + 62) == 2


def test_guess_takes_no_writer_s_lock(
    db: None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """One look: a transaction of SQLite's is the lock that the ledger needs."""
    with django_assert_num_queries(1) as asked:
        assert handing_over.take("A" * 43, host="x", base="/", now_s=1.0) is None
    assert asked.captured_queries[0]["sql"].startswith("SELECT")
