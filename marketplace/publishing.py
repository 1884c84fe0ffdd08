"""The catalogue goes down to the gates in parts: one for each service, one that all share.

Whoever changes a service, a route or a price calls `publish` with that service in the same
transaction: the change and the part that carries it commit together or not at all. What did not
change is neither compiled nor written, so that a change costs the same among ten services and among
a hundred thousand.

Publications are put in a row by a lock that is held until the commit. So a version becomes visible
after every lower one, and a gate that has read one need never look below it again: a sequence alone
would not promise that, as whoever took the higher number might commit first. And whoever comes
second sees what the first changed, so that no part misses a change that was made at the same time.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from django.conf import settings
from django.db import connection, transaction

from gateway.domain.routes import RouteTableError, compile_service
from gateway.models import Snapshot, SnapshotAddress, SnapshotPart, VerifyingKey
from marketplace import compiling, listing
from marketplace.models import Service

KEPT = 1_000  # Versions, for people who look into an incident.
NAMED_MAX = 100  # Services that one version names.
AT_ONCE = 500
T = TypeVar("T")
LOCK = 0x41504943  # PostgreSQL's advisory locks are numbers; this one is ours.


def publish(services: Iterable[int]) -> None:
    """Write the parts of those services that differ, and what all share if it does.

    `services` is read only here, after everybody who was before: a query finds theirs, too.
    RouteTableError: the gate could not serve this catalogue; the change must not be kept.
    """
    _take_turns()
    publication = _Publication()
    if publication.is_first:
        listing.refresh([*services])  # Else they are looked at only where they were saved.
        publication.write(_every_service(), with_addresses=True)
        return
    publication.write(services)


def publish_everything() -> None:
    """As `publish`, of all services: what was changed without it, or by other settings."""
    _take_turns()
    listing.catch_up()
    _Publication().write(_every_service(), with_addresses=True)


def _every_service() -> set[int]:
    known = {*SnapshotPart.objects.values_list("service", flat=True)}
    return known.union(Service.objects.values_list("pk", flat=True)) - {SnapshotPart.SHARED}


def _take_turns() -> None:
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("publish() belongs in the change's own.")
    # SQLite's BEGIN IMMEDIATE did so already.
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])


class _Publication:
    def __init__(self) -> None:
        former = SnapshotPart.objects.filter(service=SnapshotPart.SHARED).first()
        self.is_first = former is None
        self._former = None if former is None else former.body
        self._shared = _shared()
        self._snapshot: Snapshot | None = None
        self._changed = 0
        self._named: list[str] = []
        self._addresses: dict[str, int] = {}
        self._addressed: list[int] = []
        """Services whose addresses are those in `_addresses` and no others."""

    def write(self, services: Iterable[int], *, with_addresses: bool = False) -> None:
        if self._shared != self._former:
            self._put({SnapshotPart.SHARED: self._shared})
        for some in _in_parts(sorted(set(services))):
            if with_addresses:
                listing.catch_up(among=some)  # Of everything, most is as it was.
            else:
                listing.refresh(some)
            self._write(some, with_addresses=with_addresses)
        self._address()
        if self._snapshot is not None:
            changed = {"changed": self._named, "count": self._changed}
            self._snapshot.body = {**self._shared, **changed}
            self._snapshot.save(update_fields=["body"])
            Snapshot.objects.filter(version__lte=self._snapshot.version - KEPT).delete()

    def _write(self, services: Collection[int], *, with_addresses: bool) -> None:
        now = dict(compiling.bodies(services))
        rows = SnapshotPart.objects.filter(service__in=services)
        former: dict[int, Any] = dict(rows.values_list("service", "body"))
        differ = [pk for pk in services if now.get(pk) != former.get(pk)]
        for pk in services if with_addresses else differ:
            self._addressed.append(pk)
            if whole := now.get(pk):
                # A gate that cannot read a part keeps the former: better the change fails here.
                self._claim(pk, compile_service(whole, prefix=settings.GATE_PREFIX).addresses)
        self._put({pk: now.get(pk) for pk in differ})
        self._changed += len(differ)
        slugs = [(now.get(pk) or former[pk])["slug"] for pk in differ]
        self._named += slugs[: NAMED_MAX - len(self._named)]

    def _put(self, bodies: Mapping[int, Mapping[str, object] | None]) -> None:
        if not bodies:
            return
        if self._snapshot is None:
            self._snapshot = Snapshot.objects.create(body={})
        version = self._snapshot.version
        SnapshotPart.objects.bulk_create(
            [SnapshotPart(service=pk, version=version, body=body) for pk, body in bodies.items()],
            update_conflicts=True,
            unique_fields=["service"],
            update_fields=["version", "body"],
        )

    def _claim(self, service: int, addresses: Collection[str]) -> None:
        for address in addresses:
            if self._addresses.setdefault(address, service) != service:
                raise RouteTableError(f"{address} is taken by another service.")

    def _address(self) -> None:
        """One service an address, the rows say; all are left before the first is taken."""
        known: dict[str, int] = {}
        for some in _in_parts(self._addressed):
            rows = SnapshotAddress.objects.filter(service__in=some)
            known.update(rows.values_list("address", "service"))
        left = [one for one, service in known.items() if self._addresses.get(one) != service]
        for addresses in _in_parts(left):
            SnapshotAddress.objects.filter(address__in=addresses).delete()
        taken = [one for one, service in self._addresses.items() if known.get(one) != service]
        for addresses in _in_parts(taken):
            if other := SnapshotAddress.objects.filter(address__in=addresses).first():
                raise RouteTableError(f"{other} is taken by another service.")
            SnapshotAddress.objects.bulk_create(
                SnapshotAddress(address=one, service=self._addresses[one]) for one in addresses
            )


def _shared() -> dict[str, object]:
    keys = VerifyingKey.objects.filter(revoked_at=None).order_by("kid")
    return {"issuer": settings.ORIGIN, "keys": dict(keys.values_list("kid", "public_key"))}


def _in_parts(all_: list[T]) -> Iterator[list[T]]:
    return (all_[begin : begin + AT_ONCE] for begin in range(0, len(all_), AT_ONCE))
