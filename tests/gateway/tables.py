"""A route table of one document."""

from collections.abc import Mapping

from gateway.domain.routes import RouteTable, RouteTableError
from gateway.domain.tables import SHARED, Assembly, Part


def compile_table(body: Mapping[str, object], *, prefix: str = "/gate/") -> RouteTable:
    """All or nothing: RouteTableError where a part of it would have been left."""
    assembly, version, services = Assembly(prefix), body.get("version", 1), body["services"]
    assert isinstance(version, int)
    assert isinstance(services, list)
    shared = Part(SHARED, version, {**body, "services": None})
    parts = [Part(number, version, each) for number, each in enumerate(services, 1)]
    if wrong := assembly.take([shared, *parts]):
        raise RouteTableError(" ".join(wrong))
    return assembly.table
