import time

import pytest

from billing.sales import sold_since
from tests.billing.account.people import granted
from tests.billing.buying import person

pytestmark = pytest.mark.django_db


def test_sales_are_counted_by_what_was_signed() -> None:
    carla, now_s = person("carla"), time.time()
    recent = [granted(carla, at_s=now_s, expires_at=2_000_000_000) for _ in range(2)]
    granted(carla, at_s=now_s - 100)
    granted(carla, at_s=now_s, amount=0)
    assert sold_since(int(now_s) - 50) == {recent[0].digest: 2}
