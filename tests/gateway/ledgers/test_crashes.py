"""Any order of leasing, spending, losing answers and dying: never a unit too many, never one lost.

The model knows what was served. The ledger, the journals and the model must agree after each step.
"""

import shutil
import tempfile
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from django.db import connections
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    rule,
    run_state_machine_as_test,
)

from gateway.domain.allowance import NO_SLOT, Holding, close, reserve, void
from gateway.domain.limits import Calls
from gateway.journal import Journal
from gateway.ledgers.database import DatabaseLedger
from gateway.ledgers.port import Node, Verdict
from gateway.models import GatewayNode, GrantLedger, Lease, LimiterLedger
from gateway.supply import Supply, give_back
from tests.gateway.selling import sell

BOOT = "11111111-2222-3333-4444-555555555555"
SOLD = 40
CALLS = Calls(SOLD)


@dataclass(eq=False)
class Process:
    node: Node
    journal: Journal
    supply: Supply = field(default_factory=lambda: Supply(0, CALLS))
    former: list[Holding] = field(default_factory=list)
    going: list[dict[Holding, int]] = field(default_factory=list)
    served: int = 0

    def unspent(self) -> int:
        return sum(holding.held for holding in [self.supply.holding, *self.former])


class Crashes(RuleBasedStateMachine):
    """One grant, several processes, one of which at a time acts."""

    processes = Bundle("processes")

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp(prefix="apicharge-crashes-"))
        self.ledger = DatabaseLedger()
        self.grant = sell(CALLS)
        self.living: list[Process] = []
        self.gone_served = 0

    def teardown(self) -> None:
        for process in self.living:
            process.journal.close(remove=True)
        for model in (Lease, GatewayNode, LimiterLedger, GrantLedger):
            model.objects.all().delete()
        self.ledger.close()
        shutil.rmtree(self.home)

    @rule(target=processes)
    def start(self) -> Process:
        node_id = uuid.uuid4()
        journal = Journal(self.home, node_id, BOOT)
        process = Process(Node(node_id, BOOT, "here", journal.path), journal)
        process.supply.start(journal.words)
        self.ledger.register(process.node)
        self.living.append(process)
        return process

    @rule(
        process=processes,
        waiting=st.integers(0, 6),
        last_second=st.integers(0, 12),
        answer_lost=st.booleans(),
    )
    def draw(self, process: Process, waiting: int, last_second: int, answer_lost: bool) -> None:
        supply = process.supply
        if supply.holding.slot == NO_SLOT:
            supply.holding.slot = process.journal.take_slot()
        supply.last_second = last_second
        ask = supply.draw(self.grant.id, waiting, 0, 0.0)
        drawn = self.ledger.transact(process.node.id, [ask]).drawn[ask.slot]
        assert drawn.verdict is not Verdict.NO_LEDGER
        if answer_lost:
            supply.fail(0)
            return
        supply.apply(drawn, supply.holding, batch=0, sent_at=0.0, now=0.0)
        if supply.holding.amount == 0:
            process.journal.free_slot(supply.holding.slot)
            supply.holding.slot = NO_SLOT

    @rule(process=processes)
    def call(self, process: Process) -> None:
        taken = reserve([(process.supply.holding, 1)])
        if taken is not None:
            process.going.append(taken)

    @rule(process=processes, charged=st.booleans())
    def settle(self, process: Process, charged: bool) -> None:
        if process.going:
            taken = process.going.pop()
            if charged:
                process.served += 1
            else:
                void(taken)
            close(taken)

    @rule(process=processes, answer_lost=st.booleans())
    def give_back(self, process: Process, answer_lost: bool) -> None:
        holding = process.supply.holding
        if holding.slot == NO_SLOT:
            return
        ask = give_back(holding)
        if ask.close:
            process.supply.start(process.journal.words)
            process.former.append(holding)
        self.ledger.transact(process.node.id, [ask])
        if ask.close and not answer_lost:
            process.former.remove(holding)
            process.journal.free_slot(holding.slot)

    @rule(process=processes)
    def tidy(self, process: Process) -> None:
        """What the tick does with returns that were not confirmed."""
        for holding in list(process.former):
            self.ledger.transact(process.node.id, [give_back(holding)])
            process.journal.free_slot(holding.slot)
            process.former.remove(holding)

    @rule(process=consumes(processes))
    def kill(self, process: Process) -> None:
        self.living.remove(process)
        # What was under way at the kill was reserved: it counts as served.
        self.gone_served += process.served + len(process.going)
        process.journal.close(remove=False)

    @rule(process=processes)
    def recover(self, process: Process) -> None:
        self.ledger.recover(process.node)

    @invariant()
    def nothing_is_granted_too_much_and_nothing_is_lost(self) -> None:
        served = sum(each.served + len(each.going) for each in self.living) + self.gone_served
        limiter = LimiterLedger.objects.get()
        assert served <= limiter.used <= SOLD
        if GatewayNode.objects.count() == len(self.living):
            out = sum(Lease.objects.values_list("amount", flat=True))
            known = sum(each.unspent() for each in self.living)
            assert served + known <= limiter.used <= served + max(out, known)


@pytest.mark.timeout(300)
def test_no_order_of_crashes_grants_too_much_or_loses_a_unit(database: str) -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Crashes,
        settings=settings(
            max_examples=25,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    connections["default"].close()
