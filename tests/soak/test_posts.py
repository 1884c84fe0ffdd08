"""One authorization, posted many times at once while workers run: one payment, one grant."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import connections
from pytest_django.fixtures import Settings

from billing import instructing
from billing.instructing import Wish
from billing.models import ChainTransaction
from tests.billing.api.speaking import Api
from tests.billing.buying import quote_for
from tests.billing.stepped import SteppedTown, couple, stepped_sandbox, stepped_town
from tests.billing.test_purchase_on_sandbox import balance

POSTERS = 32


@pytest.fixture
def town(database: str, tmp_path: Path, settings: Settings) -> Iterator[SteppedTown]:
    with stepped_sandbox(tmp_path) as sandbox, stepped_town(sandbox, settings) as town:
        yield town


def post_many(town: SteppedTown, count: int) -> None:
    buyer, payee = couple(town.sandbox, "posts")
    before = balance(town.sandbox, payee)
    quote = quote_for(payee.address, expires_at=int(town.now_s) + 600)
    wish = Wish(quote, buyer.address, buyer.key, "192.0.2.0/24")
    purchase = instructing.instruct(wish, now_s=town.now_s)
    body = buyer.authorization({"authorization_to_sign": purchase.signing_hash})

    def post(number: int) -> int:
        try:
            api = Api(address=f"192.0.{number % 200}.7")  # A network of its own: none is throttled.
            return api.post(f"purchases/{purchase.pk}/authorization", body).status
        finally:
            connections.close_all()

    with ThreadPoolExecutor(POSTERS) as pool:
        posted = pool.map(post, range(count))
        while not ChainTransaction.objects.exists():
            town.turn()
        statuses = Counter(posted)
    assert sum(statuses.values()) == count
    assert set(statuses) <= {200, 202}, statuses
    town.sold.append(purchase.pk)
    assert town.work(purchase.pk).state == "granted"
    town.assert_paid_once_and_granted_once(payee, before=before)
    assert ChainTransaction.objects.count() == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_posts_of_one_authorization_are_one_payment(town: SteppedTown) -> None:
    post_many(town, 2 * POSTERS)


@pytest.mark.soak
def test_thousand_posts_of_one_authorization_are_one_payment(town: SteppedTown) -> None:
    post_many(town, 1_000)
