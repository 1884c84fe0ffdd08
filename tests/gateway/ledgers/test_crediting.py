import time
import uuid
from pathlib import Path

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client

from gateway.domain.limits import Calls
from gateway.ledgers.crediting import NotLost, credit_lost
from gateway.ledgers.database import DatabaseLedger
from gateway.ledgers.port import LEASE_TIME_S, Draw, Node
from gateway.models import GatewayNode, Lease
from tests.gateway.selling import sell, used

BOOT = "11111111-2222-3333-4444-555555555555"
CALLS = Calls(100)


@pytest.fixture
def node(database: str) -> uuid.UUID:
    """Leased 30, then 20 more when 25 of them were spent."""
    grant = sell(CALLS)
    node_id = uuid.uuid4()
    ledger = DatabaseLedger()
    ledger.register(Node(node_id, BOOT, "there", Path("/gone")))
    ledger.transact(node_id, [Draw(16, grant.id, 0, CALLS, None, 0, 0, 30, 0, 0)])
    ledger.transact(node_id, [Draw(16, grant.id, 0, CALLS, 0, 30, 25, 25, 0, 0)])
    ledger.close()
    assert used(grant) == 50
    return node_id


def silence(node_id: uuid.UUID) -> None:
    heard = time.time() - LEASE_TIME_S - 1
    assert GatewayNode.objects.filter(pk=node_id).update(heartbeat_at=heard) == 1


def test_a_machine_that_was_heard_lately_is_not_credited(node: uuid.UUID) -> None:
    with pytest.raises(NotLost):
        credit_lost(node)
    assert Lease.objects.get().amount == 50


def test_what_a_lost_machine_was_not_heard_to_spend_is_credited_once(node: uuid.UUID) -> None:
    silence(node)
    assert [credit_lost(node), credit_lost(node)] == [25, 0]
    assert not GatewayNode.objects.exists()


def act(client: Client, node_id: uuid.UUID) -> int:
    form = {"action": "credit", "_selected_action": [str(node_id)]}
    return client.post("/admin/gateway/gatewaynode/", form).status_code


def test_staff_credit_in_the_admin_and_it_is_logged(node: uuid.UUID, client: Client) -> None:
    client.force_login(User.objects.create_superuser("root"))
    assert act(client, node) == 302
    assert Lease.objects.get().amount == 50
    silence(node)
    assert act(client, node) == 302
    assert not Lease.objects.exists()
    assert "Credited 25 units" in LogEntry.objects.get().change_message


def test_ledger_rows_cannot_be_changed_in_the_admin(node: uuid.UUID, client: Client) -> None:
    client.force_login(User.objects.create_superuser("root"))
    for model, key in [("gatewaynode", str(node)), ("grantledger", f"{1:064x}")]:
        page = f"/admin/gateway/{model}/{key}/change/"
        assert client.get(page).status_code == 200
        assert client.post(page, {}).status_code == 403
        assert client.get(f"/admin/gateway/{model}/add/").status_code == 403
