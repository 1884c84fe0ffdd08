import asyncio
from datetime import timedelta

import pytest
from pytest_django.fixtures import DjangoAssertNumQueries

from apicharge_site import circuits
from apicharge_site.circuits import Circuits, Resting
from gateway.domain.balancing import Destination, Outcome
from gateway.models import RestingUpstream


def test_only_what_is_left_alone_is_told_and_again_when_it_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    good, bad, ill = Destination(), Destination(), Destination(is_down=True)
    known = [("a", "http://1", good), ("a", "http://2", bad), ("a", "http://3", ill)]
    told: list[Resting] = []
    monkeypatch.setattr(circuits, "write", lambda _node, resting: told.append(resting))

    async def looked_at() -> None:
        watching = Circuits(lambda: known)
        await watching.look(100.0)
        await watching.look(102.0)
        for _ in range(2):
            bad.report(Outcome.UNREACHABLE, 1.0)
        await watching.look(104.0)
        await watching.look(114.0)
        bad.report(Outcome.SERVED, 9.0, is_trial=True)
        ill.is_down = False
        await watching.look(116.0)
        await watching.look(200.0)

    asyncio.run(looked_at())
    down = {("a", "http://3"): True}
    both = {("a", "http://2"): False} | down
    assert told == [down, both, both, {}]


@pytest.mark.django_db
def test_rows_are_what_each_gate_said_last(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    circuits.write("n1", {("a", "http://1"): False, ("a", "http://2"): True})
    circuits.write("n2", {("a", "http://1"): False})
    began = RestingUpstream.objects.get(node="n1", url="http://1").since
    many = {("b", f"http://{number}"): True for number in range(50)}
    with django_assert_max_num_queries(10):
        circuits.write("n1", {("a", "http://1"): True} | many)
    circuits.write("n1", {("a", "http://1"): True})
    rows = RestingUpstream.objects.order_by("node", "url")
    assert [(row.node, row.url, row.is_down) for row in rows] == [
        ("n1", "http://1", True),
        ("n2", "http://1", False),
    ]
    assert rows[0].since == began
    RestingUpstream.objects.filter(node="n2").update(seen_at=began - timedelta(days=2))
    circuits.write("n1", {})
    assert not RestingUpstream.objects.exists()
