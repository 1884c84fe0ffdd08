"""A signing key that leaked is ended on every gate, by staff or by command."""

import queue
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from billing import conf, granting, keys
from billing.models import AuditEntry, Purchase
from billing.orders import terms_of
from gateway.models import VerifyingKey
from gateway.routing import News
from gateway.snapshots import Snapshots
from tests.billing.working import Shop, state_of
from tests.fakes.rail import FakeRail

NODES = 3


@pytest.fixture
def shop(database: str) -> Iterator[Shop]:
    shop = Shop(FakeRail())
    with conf.paying_by(shop.rail):
        shop.open()
        yield shop


def sold(shop: Shop) -> Purchase:
    purchase = shop.instruct()
    shop.rail.pay(terms_of(purchase), tx_hash=purchase.pk)
    shop.turn()
    return purchase


def seconds_until_no_node_knows(kid: str) -> float:
    """Of gates that each follow by themselves, with the interval that they follow in service."""
    told: list[queue.Queue[News]] = [queue.Queue() for _ in range(NODES)]
    with ExitStack() as nodes:
        for news in told:
            source = Snapshots(prefix="/gate/")
            source.follow(news.put)
            nodes.callback(source.close)
        for news in told:
            while not (table := news.get(timeout=30).table) or kid not in table.keys:
                pass
        call_command("revoke_key", kid, "--yes")
        began = time.monotonic()
        for news in told:
            while not (table := news.get(timeout=30).table) or kid in table.keys:
                pass
        return time.monotonic() - began


def test_revoked_key_leaves_every_gate(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    sold(shop)
    kid = keys.ensure_registered()
    seconds_until_no_node_knows(kid)
    assert "1 running grants end" in capsys.readouterr().out
    assert keys.verifying() == {}
    assert keys.jwks() == {"keys": []}


@pytest.mark.soak
def test_revoked_key_leaves_every_gate_within_a_second(shop: Shop) -> None:
    assert seconds_until_no_node_knows(keys.ensure_registered()) < 1.0


def test_revoked_key_signs_nothing_and_what_is_paid_waits(shop: Shop) -> None:
    kid = keys.ensure_registered()
    assert keys.revoke(kid, actor="staff", now_s=shop.now_s)
    assert not keys.revoke(kid, actor="staff", now_s=shop.now_s)
    purchase = shop.instruct()
    shop.rail.pay(terms_of(purchase))
    with pytest.raises(keys.KeyRevoked):
        shop.turn()
    assert state_of(purchase) == "confirmed"
    with pytest.raises(keys.KeyRevoked):
        granting.issue(purchase.pk, now_s=shop.now_s)
    entry = AuditEntry.objects.get(action="key.revoke")
    assert (entry.subject, entry.actor) == (kid, "staff")


def test_command_asks_before_it_ends_anything(shop: Shop) -> None:
    kid = keys.ensure_registered()
    with pytest.raises(CommandError, match="would end 0 running grants"):
        call_command("revoke_key", kid)
    with pytest.raises(CommandError, match="No key of this gateway"):
        call_command("revoke_key", "unknown", "--yes")
    assert VerifyingKey.objects.get().revoked_at is None


def client(**is_: bool) -> Client:
    user, _ = User.objects.get_or_create(username="somebody", is_staff=True, **is_)
    logged_in = Client()
    logged_in.force_login(user)
    return logged_in


def test_superuser_revokes_in_the_admin_by_repeating_the_kid(shop: Shop) -> None:
    sold(shop)
    kid = keys.ensure_registered()
    key = VerifyingKey.objects.get()
    page = reverse("admin:billing_revoke_key", args=[key.pk])
    superuser = client(is_superuser=True)
    listed = superuser.get(reverse("admin:gateway_verifyingkey_change", args=[key.pk]))
    assert page in listed.content.decode()
    assert "1 grant that still runs" in " ".join(superuser.get(page).content.decode().split())
    assert "another kid" in superuser.post(page, {"kid": "x"}).content.decode()
    assert keys.verifying()
    assert superuser.post(page, {"kid": kid}).status_code == 302
    assert keys.verifying() == {}
    assert AuditEntry.objects.get(action="key.revoke").actor == "somebody"


def test_nobody_else_revokes(shop: Shop) -> None:
    kid = keys.ensure_registered()
    page = reverse("admin:billing_revoke_key", args=[VerifyingKey.objects.get().pk])
    assert client().post(page, {"kid": kid}).status_code == 403
    assert Client().post(page, {"kid": kid}).status_code == 302
    assert keys.verifying()
