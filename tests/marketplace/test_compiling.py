import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from marketplace import compiling
from marketplace.models import Service
from tests.marketplace import shop

pytestmark = pytest.mark.django_db


def test_draft_is_not_gated_and_withdrawn_is_gated_without_offers() -> None:
    service = shop.stall().route.service
    [(_, body)] = compiling.bodies([service.pk])
    assert body["routes"][0]["offers"] != []
    Service.objects.update(state=Service.State.WITHDRAWN)
    [(_, body)] = compiling.bodies([service.pk])
    assert body["routes"][0]["offers"] == []
    Service.objects.update(state=Service.State.DRAFT)
    assert list(compiling.bodies([service.pk])) == []


def test_compiling_asks_as_often_for_one_service_as_for_many() -> None:
    owner = shop.provider()
    made = [shop.service(owner, f"service-{number}") for number in range(6)]
    for service in made:
        shop.price(shop.route(service))
    with CaptureQueriesContext(connection) as one:
        assert len(list(compiling.bodies([made[0].pk]))) == 1
    with CaptureQueriesContext(connection) as many:
        assert len(list(compiling.bodies([service.pk for service in made]))) == 6
    assert len(one) == len(many) == 4
