import pytest
from django.test import Client

from billing.domain.notices import DAY_S, HOUR_S
from billing.models import NoticeChoice, WebhookDelivery, WebhookEndpoint
from billing.webhooks import announcing
from tests.billing.account.people import Buyer, buyer

pytestmark = pytest.mark.django_db
URL = "https://93.184.216.34/hook?for=us"


@pytest.fixture
def carla() -> Buyer:
    return buyer("carla")


@pytest.fixture
def endpoint(carla: Buyer) -> WebhookEndpoint:
    carla.client.post("/account/notices/webhooks/", {"url": URL, "events": ["grant.limit"]})
    return WebhookEndpoint.objects.get()


def page_of(endpoint: WebhookEndpoint, act: str = "") -> str:
    return f"/account/notices/webhooks/{endpoint.pk}/{act}"


def text(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def test_everything_is_told_by_mail_until_one_chooses(carla: Buyer) -> None:
    page = text(carla.client, "/account/notices/")
    assert page.count("checked") == 6
    form = {"wanted": ["100", str(HOUR_S)]}
    assert carla.client.post("/account/notices/", form).status_code == 302
    choice = NoticeChoice.objects.get()
    assert (choice.user, choice.wanted, choice.by_mail) == (carla.user, [100, HOUR_S], False)
    carla.client.post("/account/notices/", {"wanted": ["7"], "by_mail": "on"})
    choice.refresh_from_db()
    assert choice.wanted == [100, HOUR_S]
    assert DAY_S not in choice.wanted


def test_endpoint_shows_its_secret_to_its_owner(carla: Buyer, endpoint: WebhookEndpoint) -> None:
    assert (endpoint.user, endpoint.url, endpoint.events) == (carla.user, URL, ["grant.limit"])
    assert endpoint.secret in text(carla.client, page_of(endpoint))
    assert endpoint.secret not in text(carla.client, "/account/notices/")


def test_address_inside_is_refused_with_its_reason(carla: Buyer) -> None:
    answer = carla.client.post("/account/notices/webhooks/", {"url": "http://10.0.0.1/"})
    assert "not a public address" in answer.content.decode()
    assert not WebhookEndpoint.objects.exists()


def test_buttons_test_replay_replace_enable_remove(carla: Buyer, endpoint: WebhookEndpoint) -> None:
    carla.client.post(page_of(endpoint, "test/"))
    message = WebhookDelivery.objects.get()
    assert (message.event, message.state) == ("webhook.test", "pending")
    WebhookDelivery.objects.update(state="failed", due_at_ms=None)
    assert message.pk in text(carla.client, page_of(endpoint))
    carla.client.post(page_of(endpoint, "replay/"), {"message": message.pk})
    message.refresh_from_db()
    assert message.state == "pending"
    carla.client.post(page_of(endpoint, "secret/"))
    WebhookEndpoint.objects.update(disabled_at_s=1, disabled_because="It answered 410.")
    assert "It answered 410." in text(carla.client, page_of(endpoint))
    carla.client.post(page_of(endpoint, "enable/"))
    after = WebhookEndpoint.objects.get()
    assert after.secret != endpoint.secret
    assert after.disabled_at_s is None
    carla.client.post(page_of(endpoint, "remove/"))
    assert not WebhookEndpoint.objects.exists()


def test_strangers_see_and_move_nothing(
    carla: Buyer, endpoint: WebhookEndpoint, client: Client
) -> None:
    announcing.tell([endpoint], "x", {"x": {}}, now_s=1)
    acts = ("", "test/", "replay/", "secret/", "enable/", "remove/")
    dora = buyer("dora")
    for act in acts:
        for method in (dora.client.get, dora.client.post):
            assert method(page_of(endpoint, act)).status_code in {404, 405}
        for method in (client.get, client.post):
            answer = method(page_of(endpoint, act))
            assert answer.status_code == 302
            assert "/accounts/login/" in answer.headers["Location"]
    assert URL not in text(dora.client, "/account/notices/")
    assert client.get("/account/notices/").status_code == 302
    after = WebhookEndpoint.objects.get()
    assert after.secret == endpoint.secret
    assert WebhookDelivery.objects.count() == 1
