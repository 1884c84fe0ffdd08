"""What staff see of the data plane's rows."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from gateway.models import GatewayNode, GrantLedger, Snapshot

NODE = "5ba5f5a9-8f1c-4d0e-9d67-0a4e4d5a6c11"
pytestmark = pytest.mark.django_db


def test_a_snapshot_is_shown_without_the_secrets_in_it(client: Client) -> None:
    client.force_login(User.objects.create_superuser("staff"))
    changed = {"services": [{"secret": "5ec2e7" * 10}], "changed": ["weather"], "count": 3}
    snapshot = Snapshot.objects.create(body=changed)
    for address in ("", f"{snapshot.pk}/change/"):
        page = client.get(f"/admin/gateway/snapshot/{address}")
        assert page.status_code == 200
        assert b"weather, 2 more" in page.content
        assert b"5ec2e7" not in page.content


def test_moments_are_days_and_times_in_one_way_whatever_the_row_keeps(client: Client) -> None:
    client.force_login(User.objects.create_superuser("staff"))
    bounds = {"not_before": 1_790_000_100, "expires_at": 1_790_003_700}
    GrantLedger.objects.create(grant_id="g1", route="weather/now", limits=[], **bounds)
    GatewayNode.objects.create(pk=NODE, host="h", started_at=1.79e9, heartbeat_at=1.79e9 + 9.5)
    GrantLedger.objects.update(created_at="2026-11-21T08:05:00Z")
    for address, *said in (
        ("grantledger/", "21 Sep 2026, 14:15:00 UTC", "21 Sep 2026, 15:15:00 UTC", "never"),
        ("grantledger/g1/change/", "21 Sep 2026, 15:15:00 UTC", "never", "21 Nov 2026, 08:05 UTC"),
        ("gatewaynode/", "21 Sep 2026, 14:13:20 UTC", "21 Sep 2026, 14:13:29 UTC"),
        (f"gatewaynode/{NODE}/change/", 'datetime="2026-09-21T14:13:29+00:00"'),
    ):
        page = client.get(f"/admin/gateway/{address}").content.decode()
        assert [words for words in said if words not in page] == []
        assert "179000" not in page
