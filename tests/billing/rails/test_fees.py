"""Bids follow the network, and no further than the cap."""

from dataclasses import dataclass, field

import pytest

from billing.domain.errors import NetworkUnavailable
from billing.rails.stellar import fees
from billing.rails.stellar.fees import Fees


@dataclass
class Node:
    """What `Fees` asks of the node."""

    p90: int = 100
    away: bool = False
    asked: int = 0
    clock: list[float] = field(default_factory=lambda: [1_000.0])

    def inclusion_fee_p90(self) -> int:
        self.asked += 1
        if self.away:
            raise NetworkUnavailable("away")
        return self.p90

    def pass_s(self, seconds: float) -> None:
        self.clock[0] += seconds


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Node:
    node = Node()
    monkeypatch.setattr(fees.time, "monotonic", lambda: node.clock[0])
    return node


def bids(node: Node, cap: int = 1_000) -> Fees:
    return Fees(node, cap=cap)  # type: ignore[arg-type] # the one method of Rpc that it calls


@pytest.mark.parametrize(("p90", "bid"), [(1, 100), (100, 100), (300, 300), (10**9, 1_000)])
def test_bid_is_the_networks_percentile_within_the_cap(node: Node, p90: int, bid: int) -> None:
    node.p90 = p90
    assert bids(node).bid() == bid


def test_network_is_asked_now_and_then(node: Node) -> None:
    asking = bids(node)
    assert [asking.bid() for _ in range(5)] == [100] * 5
    node.p90 = 200
    node.pass_s(fees.KNOWN_FOR_S)
    assert asking.bid() == 200
    assert node.asked == 2


def test_last_answer_stands_while_the_node_is_away(node: Node) -> None:
    node.p90 = 400
    asking = bids(node)
    asking.bid()
    node.away = True
    node.pass_s(fees.KNOWN_FOR_S)
    assert asking.bid() == 400


def test_bid_that_was_too_low_doubles_up_to_the_cap_for_a_while(node: Node) -> None:
    asking = bids(node)
    told = []
    for _ in range(5):
        asking.too_low()
        told.append(asking.bid())
    assert told == [200, 400, 800, 1_000, 1_000]
    node.pass_s(fees.RAISED_FOR_S)
    assert asking.bid() == 100
