"""What gates go by, written and read as one document: issuer, keys, and a list of services."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import Max

from gateway.models import Snapshot, SnapshotPart

NOTHING: dict[str, Any] = {"issuer": "https://g", "keys": {}, "services": []}


@transaction.atomic
def publish(body: Mapping[str, Any]) -> int:
    """Every part anew, as a version of its own; the services are numbered as they come."""
    version = Snapshot.objects.create(body={}).version
    shared = {"issuer": body["issuer"], "keys": body["keys"]}
    SnapshotPart.objects.update(version=version, body=None)
    for number, part in enumerate([shared, *body["services"]]):
        SnapshotPart.objects.update_or_create(
            service=number, defaults={"version": version, "body": part}
        )
    return version


def published() -> dict[str, Any]:
    parts = SnapshotPart.objects.exclude(body=None).order_by("service")
    services = parts.exclude(service=SnapshotPart.SHARED).values_list("body", flat=True)
    newest = SnapshotPart.objects.aggregate(newest=Max("version"))["newest"]
    shared = parts.get(service=SnapshotPart.SHARED).body
    return {**shared, "version": newest, "services": list(services)}
