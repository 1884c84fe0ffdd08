import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from pytest_django.fixtures import Settings

from billing.models import WebhookEndpoint
from billing.webhooks import registering
from billing.webhooks.registering import TooManyEndpoints
from gateway.addresses import AddressRefused
from tests.billing.webhooks.conftest import NOW_S
from tests.marketplace import shop


def test_secret_is_made_here_and_is_of_its_owner_alone(carla: User, settings: Settings) -> None:
    settings.UPSTREAM_NETWORKS = ["127.0.0.0/8"]
    alba = shop.provider()
    for owner in (carla, alba):
        registering.register(owner, "http://127.0.0.1:9/x", events=["a"], now_s=NOW_S)
    hers, his = registering.of(carla).get(), registering.of(alba).get()
    assert (hers.user, hers.provider, his.user, his.provider) == (carla, None, None, alba)
    assert hers.secret != his.secret
    assert hers.secret.startswith("whsec_")
    assert len(hers.secret) == len("whsec_") + 44


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "https://10.0.0.1/hook",
        "https://0x7f.1/hook?x=1",
        "https://[::1]/",
        "https://203.0.113.5:6379/",
        "https://user:secret@93.184.216.34/",
        "wss://93.184.216.34/",
        "ftp://93.184.216.34/",
        "hook",
    ],
)
def test_address_inside_is_refused(carla: User, url: str) -> None:
    with pytest.raises(AddressRefused):
        registering.register(carla, url, events=[], now_s=NOW_S)
    assert not WebhookEndpoint.objects.exists()


def test_production_wants_tls(carla: User, settings: Settings) -> None:
    settings.PRODUCTION = True
    with pytest.raises(AddressRefused, match="https"):
        registering.register(carla, "http://93.184.216.34/", events=[], now_s=NOW_S)
    assert registering.register(carla, "https://93.184.216.34/?a=b", events=[], now_s=NOW_S).pk


def test_owner_has_a_bounded_number(carla: User) -> None:
    for number in range(registering.ENDPOINTS_MAX):
        registering.register(carla, f"https://93.184.216.34/{number}", events=[], now_s=NOW_S)
    with pytest.raises(TooManyEndpoints):
        registering.register(carla, "https://93.184.216.34/x", events=[], now_s=NOW_S)


def test_endpoint_belongs_to_one(carla: User) -> None:
    alba = shop.provider()
    for owners in ({}, {"user": carla, "provider": alba}):
        with pytest.raises(IntegrityError), transaction.atomic():
            WebhookEndpoint.objects.create(url="https://x.example/", created_at_s=1, **owners)


def test_networks_opened_for_upstreams_are_not_open_to_buyers_in_production(
    settings: Settings,
) -> None:
    settings.UPSTREAM_NETWORKS, settings.PRODUCTION = ["127.0.0.0/8"], True
    registering.check("https://127.0.0.1:8443/hook", is_seller=True)
    with pytest.raises(AddressRefused):
        registering.check("https://127.0.0.1:8443/hook", is_seller=False)
