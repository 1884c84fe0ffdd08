"""What staff see of the data plane's rows."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from gateway.models import Snapshot

pytestmark = pytest.mark.django_db


def test_a_snapshot_is_shown_without_the_secrets_in_it(client: Client) -> None:
    client.force_login(User.objects.create_superuser("staff"))
    snapshot = Snapshot.objects.create(body={"services": [{"secret": "5ec2e7" * 10}]})
    page = client.get(f"/admin/gateway/snapshot/{snapshot.pk}/change/")
    assert page.status_code == 200
    assert b"5ec2e7" not in page.content
