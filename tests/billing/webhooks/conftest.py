from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from pytest_django.fixtures import Settings

from billing.models import WebhookEndpoint
from billing.webhooks import registering
from tests.billing.webhooks.listener import Listener, listening

NOW_S = 1_790_000_100


@pytest.fixture
def listener(settings: Settings) -> Iterator[Listener]:
    settings.UPSTREAM_NETWORKS = ["127.0.0.0/8"]
    with listening() as listener:
        yield listener


@pytest.fixture
def carla(db: None) -> User:
    return User.objects.create_user("carla", "carla@consumer.example", "a long password")


@pytest.fixture
def endpoint(carla: User, listener: Listener) -> WebhookEndpoint:
    return registering.register(carla, listener.url, events=[], now_s=NOW_S)
