import time
from collections.abc import Iterator

import pytest

from billing import conf, keys
from tests.billing.api.speaking import Api
from tests.billing.working import Shop
from tests.fakes.rail import FakeRail


@pytest.fixture
def shop(db: None) -> Iterator[Shop]:
    shop = Shop(FakeRail(closed_at_s=int(time.time())))
    with conf.paying_by(shop.rail):
        shop.open()
        keys.ensure_registered()
        yield shop


@pytest.fixture
def api(shop: Shop) -> Api:
    return Api()
