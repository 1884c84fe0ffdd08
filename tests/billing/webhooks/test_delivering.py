import base64
import hashlib
import hmac
import json

import pytest
from django.contrib.auth.models import User
from django.core import mail

from billing import posting
from billing.models import Letter, WebhookDelivery, WebhookEndpoint
from billing.webhooks import announcing, delivering, registering
from tests.billing.webhooks.conftest import NOW_S
from tests.billing.webhooks.listener import Listener


def told(owner: User, key: str = "k", now_s: float = NOW_S) -> int:
    return announcing.announce(owner, "grant.ended", {"grant": "aa"}, key=key, now_s=now_s)


def only() -> WebhookDelivery:
    return WebhookDelivery.objects.get()


def test_message_arrives_signed_and_once(
    carla: User, endpoint: WebhookEndpoint, listener: Listener
) -> None:
    assert told(carla) == 1
    told(carla)
    assert delivering.deliver_due(now_s=NOW_S + 1) == 1
    assert delivering.deliver_due(now_s=NOW_S + 1) == 0
    [message] = listener.told
    assert message.path == "/hook?from=us"
    assert json.loads(message.body) == {
        "type": "grant.ended",
        "timestamp": "2026-09-21T14:15:00Z",
        "data": {"grant": "aa"},
    }
    assert message.headers["content-type"] == "application/json"
    key = base64.b64decode(endpoint.secret.removeprefix("whsec_"))
    signed = f"{only().pk}.{NOW_S + 1}.".encode() + message.body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert message.headers["webhook-signature"] == f"v1,{expected}"
    assert message.headers["webhook-id"] == only().pk
    assert (only().state, only().attempts, only().due_at_ms) == ("delivered", 1, None)
    assert [entry["status"] for entry in only().log] == [204]


def test_failed_message_is_tried_again_under_its_id_until_it_is_given_up(
    carla: User, endpoint: WebhookEndpoint, listener: Listener
) -> None:
    listener.status = 500
    told(carla)
    now_s = float(NOW_S)
    for wait_s in (5, 300, 1800, 7200, 18000, 36000, 50400):
        assert delivering.deliver_due(now_s=now_s) == 1
        assert only().due_at_ms == (now_s + wait_s) * 1000
        assert delivering.deliver_due(now_s=now_s + wait_s - 1) == 0
        now_s += wait_s
    assert delivering.deliver_due(now_s=now_s) == 1
    assert (only().state, only().attempts) == ("failed", 8)
    assert {message.headers["webhook-id"] for message in listener.told} == {only().pk}
    assert len({message.headers["webhook-signature"] for message in listener.told}) == 8


def test_replay_sends_the_same_message_again(
    carla: User, endpoint: WebhookEndpoint, listener: Listener
) -> None:
    told(carla)
    delivering.deliver_due(now_s=NOW_S)
    assert announcing.replay([only().pk], endpoint=endpoint, now_s=NOW_S + 60) == 1
    delivering.deliver_due(now_s=NOW_S + 60)
    first, second = listener.told
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    other = registering.register(carla, listener.url, events=[], now_s=NOW_S)
    assert announcing.replay([only().pk], endpoint=other, now_s=NOW_S) == 0


def test_endpoint_hears_what_it_asked_for(
    carla: User, endpoint: WebhookEndpoint, listener: Listener
) -> None:
    WebhookEndpoint.objects.update(events=["grant.limit"])
    assert told(carla) == 0
    assert announcing.announce(carla, "grant.limit", {}, key="x", now_s=NOW_S) == 1


def test_redirect_is_not_followed(
    carla: User, endpoint: WebhookEndpoint, listener: Listener
) -> None:
    listener.status = 307
    told(carla)
    delivering.deliver_due(now_s=NOW_S)
    assert len(listener.told) == 1
    assert only().state == "pending"


def test_address_is_checked_again_when_it_is_called(
    carla: User, endpoint: WebhookEndpoint, listener: Listener, settings: object
) -> None:
    told(carla)
    settings.UPSTREAM_NETWORKS = []  # type: ignore[attr-defined]
    delivering.deliver_due(now_s=NOW_S)
    assert listener.told == []
    assert "not a public address" in only().log[0]["problem"]


def test_endpoint_that_fails_for_a_day_is_switched_off_and_its_owner_written_to(
    carla: User, endpoint: WebhookEndpoint, listener: Listener
) -> None:
    listener.status = 503
    told(carla)
    WebhookEndpoint.objects.update(failures=40, failing_since_s=NOW_S - 86_400)
    delivering.deliver_due(now_s=NOW_S)
    endpoint.refresh_from_db()
    assert endpoint.disabled_at_s == NOW_S
    assert only().state == "failed"
    assert told(carla, key="later") == 0
    posting.send_due(now_s=NOW_S)
    posting.send_due(now_s=NOW_S + 9_999)
    assert [letter.to for letter in mail.outbox] == [["carla@consumer.example"]]
    assert listener.url in mail.outbox[0].body
    registering.enable(endpoint)
    assert told(carla, key="after") == 1


def test_endpoint_that_is_gone_is_switched_off_at_once(
    carla: User, endpoint: WebhookEndpoint, listener: Listener
) -> None:
    listener.status = 410
    told(carla)
    delivering.deliver_due(now_s=NOW_S)
    endpoint.refresh_from_db()
    assert "410" in endpoint.disabled_because


def test_success_forgets_the_failures(
    carla: User, endpoint: WebhookEndpoint, listener: Listener
) -> None:
    WebhookEndpoint.objects.update(failures=40, failing_since_s=1)
    told(carla)
    delivering.deliver_due(now_s=NOW_S)
    endpoint.refresh_from_db()
    assert (endpoint.failures, endpoint.failing_since_s) == (0, None)


def test_dead_endpoint_leaves_room_for_others_and_one_round_runs_at_a_time(
    carla: User, endpoint: WebhookEndpoint, listener: Listener
) -> None:
    for number in range(12):
        told(carla, key=str(number))
    assert delivering.deliver_due(now_s=NOW_S) == delivering.AT_ONCE_PER_ENDPOINT
    due = WebhookDelivery.objects.filter(state="pending").first()
    assert due is not None
    lease_ms = (NOW_S + 30) * 1000
    WebhookDelivery.objects.filter(pk=due.pk).update(sending_until_ms=lease_ms, due_at_ms=lease_ms)
    assert delivering.deliver_due(now_s=NOW_S + 29) == 0
    assert delivering.deliver_due(now_s=NOW_S + 31) == delivering.AT_ONCE_PER_ENDPOINT


def test_log_is_bounded(
    carla: User, endpoint: WebhookEndpoint, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivering, "KEPT", 2)
    for number in range(5):
        told(carla, key=str(number), now_s=NOW_S + number)
    delivering.deliver_due(now_s=NOW_S + 10)
    kept = WebhookDelivery.objects.values_list("key", flat=True)
    assert sorted(kept) == ["3", "4"]


def test_waiting_messages_are_bounded(
    carla: User, endpoint: WebhookEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announcing, "WAITING_MAX", 2)
    assert [told(carla, key=str(number)) for number in range(3)] == [1, 1, 0]


def test_replaced_secret_signs_beside_the_new_one_for_a_day(
    carla: User, endpoint: WebhookEndpoint, listener: Listener
) -> None:
    before = endpoint.secret
    registering.replace_secret(endpoint, now_s=NOW_S)
    assert endpoint.secret != before
    for number, moment in enumerate((NOW_S + 86_399, NOW_S + 86_400)):
        told(carla, key=str(number), now_s=moment)
        delivering.deliver_due(now_s=moment)
    signatures = [message.headers["webhook-signature"].split() for message in listener.told]
    assert [len(each) for each in signatures] == [2, 1]


def test_letter_without_an_address_is_not_written(carla: User) -> None:
    User.objects.update(email="")
    carla.refresh_from_db()
    assert not posting.post(carla, "s", "b", key="k", now_s=NOW_S)
    assert not Letter.objects.exists()


def test_what_one_endpoint_has_waiting_holds_up_no_other(
    carla: User, endpoint: WebhookEndpoint, listener: Listener
) -> None:
    dora = User.objects.create_user("dora")
    theirs = registering.register(dora, listener.url, events=[], now_s=NOW_S)
    for number in range(60):
        told(carla, key=str(number))
    told(dora, key="hers", now_s=NOW_S + 1)
    delivering.deliver_due(now_s=NOW_S + 2)
    assert WebhookDelivery.objects.get(endpoint=theirs).state == "delivered"
