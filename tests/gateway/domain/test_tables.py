from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.routes import RouteTable
from gateway.domain.tables import SHARED, Assembly, Part
from tests.gateway.domain.test_routes import route, service
from tests.gateway.tables import compile_table

EXAMPLES = 25
NUMBERS = range(1, 6)
KEYS = {"issuer": "https://g", "keys": {"k": "00ff"}}
Catalogue = Mapping[int, dict[str, Any]]


@st.composite
def catalogues(draw: st.DrawFn) -> Catalogue:
    """Services by their numbers; any may have any name, host and root path, one of them each."""
    slugs = draw(st.permutations("abcdefg"))
    hosts = draw(st.permutations(["h.example", "i.example", "j.example", *[None] * 4]))
    roots = draw(st.permutations(["/r", "/r/deep", "/gate/deep/er", *[None] * 4]))
    chosen = draw(st.sets(st.sampled_from(NUMBERS)))
    return {
        number: service(
            slugs[number],
            *(route(f"{slugs[number]}/{each}", f"/{each}") for each in draw(st.sets(EACH))),
            hosts=[host] if (host := hosts[number]) else [],
            root_path=roots[number],
            upstreams=[{"url": f"http://127.0.0.1:{port}"} for port in sorted(draw(PORTS))],
            health=draw(st.sampled_from([None, {"path": "/up"}])),
        )
        for number in sorted(chosen)
    }


EACH = st.sampled_from(["x", "y", "z"])
PORTS = st.sets(st.sampled_from([8, 9]), min_size=1)
BROKEN = st.dictionaries(st.sampled_from(NUMBERS), st.sampled_from([[], {}, {"slug": "b"}, 3]))


def difference(version: int, before: Catalogue, after: Catalogue) -> list[Part]:
    return [
        Part(number, version, after.get(number))
        for number in NUMBERS
        if before.get(number) != after.get(number)
    ]


def unordered(table: RouteTable) -> dict[str, object]:
    """All that a table says; the order of its parts says nothing."""
    said = {name: getattr(table, name) for name in table.__slots__ if name != "_remembered"}
    probed = sorted(table.probed, key=lambda cluster: cluster.name)
    return {**said, "root_paths": {*table.root_paths}, "probed": probed}


def at_once(version: int, catalogue: Catalogue) -> dict[str, object]:
    body = {**KEYS, "version": version, "services": [*catalogue.values()]}
    return unordered(compile_table(body))


@settings(max_examples=EXAMPLES)
@given(st.lists(catalogues(), min_size=1, max_size=6))
def test_a_table_made_of_changes_is_the_one_made_at_once(history: Sequence[Catalogue]) -> None:
    assembly, before = Assembly("/gate/"), dict[int, Any]()
    for version, after in enumerate(history, 1):
        former = assembly.table
        known = unordered(former) | {"hosts": {**former.hosts}, "routes": {**former.routes}}
        parts = difference(version, before, after)
        assert assembly.take([Part(SHARED, version, KEYS), *parts]) == []
        assert unordered(assembly.table) == at_once(version, after)
        assert unordered(former) == known
        before = after


@settings(max_examples=EXAMPLES)
@given(st.lists(st.tuples(catalogues(), BROKEN), min_size=1, max_size=4), catalogues())
def test_what_cannot_be_read_takes_nothing_else_down_and_is_mended_by_the_next(
    history: Sequence[tuple[Catalogue, Mapping[int, object]]], last: Catalogue
) -> None:
    """Also where somebody else has its address by then."""
    assembly, before = Assembly("/gate/"), dict[int, Any]()
    assembly.take([Part(SHARED, 1, KEYS)])
    for version, (catalogue, broken) in enumerate(history, 2):
        parts = {part.service: part for part in difference(version, before, catalogue)}
        parts |= {number: Part(number, version, body) for number, body in broken.items()}
        wrong = assembly.take(parts.values())
        assert len(wrong) >= len(broken)
        stands = assembly._services
        assert {**assembly.table.services} == {one.slug: one for one in stands.values()}
        before = {**catalogue, **broken}
    version = len(history) + 2
    assembly.take(difference(version, before, last) or [Part(SHARED, version, KEYS)])
    assert unordered(assembly.table) == at_once(version, last)


def test_what_did_not_change_is_shared() -> None:
    assembly = Assembly("/gate/")
    both = [Part(1, 1, service("a")), Part(2, 1, service("b"))]
    assembly.take([Part(SHARED, 1, KEYS), *both])
    former = assembly.table
    assembly.take([Part(2, 2, service("b", host=["h.example"]))])
    assert assembly.table.services["a"] is former.services["a"]
    assert assembly.table.services["b"] is not former.services["b"]


def test_nothing_new_makes_no_table() -> None:
    assembly = Assembly("/gate/")
    assembly.take([Part(SHARED, 1, KEYS)])
    former = assembly.table
    assert assembly.take([]) == []
    assert assembly.table is former


def test_who_finds_its_address_taken_waits_until_it_is_free() -> None:
    """Only where another's part could not be read: publishing gives an address to one service."""
    assembly = Assembly("/gate/")
    assembly.take([Part(SHARED, 1, KEYS), Part(1, 1, service("a", hosts=["h"]))])
    wrong = assembly.take([Part(1, 2, {"slug": "a"}), Part(2, 2, service("b", hosts=["h"]))])
    assert len(wrong) == 2
    assert assembly.table.hosts["h"].slug == "a"
    assert assembly.take([Part(3, 3, service("c"))]) == []
    assert [*assembly.table.services] == ["a", "c"]
    assert assembly.take([Part(1, 4, service("a"))]) == []
    assert assembly.table.hosts["h"].slug == "b"
