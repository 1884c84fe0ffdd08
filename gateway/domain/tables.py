"""One route table made of another: what changed is compiled, all the rest is shared.

A table is never changed. The next one has mappings of its own, copied, because copying ten thousand
references takes a thousandth of the time that compiling ten thousand services takes.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from gateway.domain import reading
from gateway.domain.routes import RouteTable, RouteTableError, Service, compile_service

SHARED = 0
"""The part that is no service's: issuer and verifying keys."""


class Part(NamedTuple):
    """One of the parts that gates go by, as it is read."""

    service: int
    version: int
    body: object
    """None: the service is gone."""


class Shared(NamedTuple):
    issuer: str
    keys: Mapping[str, bytes]


NOT_YET = Shared("", {})


class Change(NamedTuple):
    """Of one service: what the table has, and what it shall have instead. None: nothing."""

    former: Service | None
    service: Service | None


class Assembly:
    """The parts that were read, as a table.

    A part that does not compile leaves the former in its place. So does one whose address is not
    free, as it may be if another's part was left; it is tried again with every change.
    """

    def __init__(self, prefix: str) -> None:
        self.table = RouteTable(0, "", {}, {}, {}, {}, 0, (), {}, {}, ())
        self._prefix = prefix
        self._shared = NOT_YET
        self._services: dict[int, Service] = {}
        self._waiting: dict[int, Service] = {}

    def take(self, parts: Iterable[Part]) -> list[str]:
        """Make the next table, if there are parts. What is wrong with those that were left."""
        version, shared, wrong = self.table.version, self._shared, list[str]()
        changes: dict[int, Service | None] = {**self._waiting}
        for number, since, body in parts:
            version = max(version, since)
            try:
                if number == SHARED:
                    shared = read_shared(body)
                else:
                    gone = body is None
                    changes[number] = None if gone else compile_service(body, prefix=self._prefix)
            except RouteTableError as exc:
                wrong.append(str(exc))
        if version != self.table.version:
            self._shared = shared
            wrong += self._derive(version, changes)
        return wrong

    @property
    def is_usable(self) -> bool:
        """Whether issuer and keys are known."""
        return self._shared is not NOT_YET

    def _derive(self, version: int, wanted: Mapping[int, Service | None]) -> list[str]:
        changes = {
            number: Change(self._services.get(number), service)
            for number, service in sorted(wanted.items())
        }
        self.table, stands = derive(self.table, version, self._shared, changes)
        refused = {
            number: service
            for number, service in wanted.items()
            if service is not None and stands.get(number) is not service
        }
        for number in changes:
            self._services.pop(number, None)
        self._services |= stands
        fresh = [service.slug for number, service in refused.items() if number not in self._waiting]
        self._waiting = refused
        return [f"service {slug}: its host or path is taken" for slug in fresh]


def derive(
    table: RouteTable, version: int, shared: Shared, changes: Mapping[int, Change]
) -> tuple[RouteTable, dict[int, Service]]:
    """The next table, and what stands in it of those that changed.

    Where the new does not fit, the former stands if it still does.
    """
    draft, stands = _Draft(table), dict[int, Service]()
    for former, _ in changes.values():
        if former is not None:
            draft.take_out(former)
    for number, (former, service) in changes.items():
        for one in (service, former) if service is not None else ():
            if one is not None and draft.has_room_for(one):
                draft.put_in(one)
                stands[number] = one
                break
    return draft.table(version, shared), stands


class _Draft:
    def __init__(self, table: RouteTable) -> None:
        self.services = dict(table.services)
        self.hosts = dict(table.hosts)
        self.prefixes = dict(table.prefixes)
        self.routes = dict(table.routes)
        self.clients = dict(table.clients)
        self.roots = dict.fromkeys(table.root_paths)
        self.probed = {cluster.name: cluster for cluster in table.probed}

    def take_out(self, service: Service) -> None:
        del self.services[service.slug]
        for host in service.hosts:
            del self.hosts[host]
        for root in service.roots:
            del self.prefixes[root]
        for route in service.every_route:
            self.routes.pop(route.id, None)
        for client in service.clients:
            self.clients[client] -= 1
            if not self.clients[client]:
                del self.clients[client]
        if service.root_path:
            del self.roots[service.root_path.rstrip("/")]
        self.probed.pop(service.cluster.name, None)

    def has_room_for(self, service: Service) -> bool:
        hosts, roots = self.hosts.keys(), self.prefixes.keys()
        return hosts.isdisjoint(service.hosts) and roots.isdisjoint(service.roots)

    def put_in(self, service: Service) -> None:
        self.services[service.slug] = service
        self.hosts |= dict.fromkeys(service.hosts, service)
        self.prefixes |= dict.fromkeys(service.roots, service)
        self.routes |= {route.id: route for route in service.every_route}
        for client in service.clients:
            self.clients[client] = self.clients.get(client, 0) + 1
        if service.root_path:
            self.roots[service.root_path.rstrip("/")] = None
        if service.cluster.health is not None and not service.cluster.is_plain:
            self.probed[service.cluster.name] = service.cluster

    def table(self, version: int, shared: Shared) -> RouteTable:
        return RouteTable(
            version=version,
            issuer=shared.issuer,
            keys=shared.keys,
            services=self.services,
            hosts=self.hosts,
            prefixes=self.prefixes,
            longest_prefix=max(map(len, self.prefixes), default=0),
            root_paths=tuple(self.roots),
            routes=self.routes,
            clients=self.clients,
            probed=tuple(self.probed.values()),
        )


def read_shared(body: object) -> Shared:
    """What all services share, or RouteTableError."""
    if not isinstance(body, Mapping):
        raise RouteTableError("What all services share is not an object.")
    entry = reading.Object(body, "shared")
    try:
        keys = entry.part("keys")
        return Shared(entry.text("issuer"), {kid: keys.hex_bytes(kid) for kid in keys.unread})
    except reading.Unreadable as exc:
        raise RouteTableError(str(exc)) from exc
