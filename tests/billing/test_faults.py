"""A purchase while the network is not well: what its row says, paid once and granted once.

The node is a sandbox whose ledgers the test closes; a fault is switched on over HTTP.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from pytest_django.fixtures import Settings

from billing.models import AuditEntry, ChainTransaction, Purchase
from billing.sandbox.faults import Fault
from tests.billing.buying import Person
from tests.billing.stepped import SteppedTown, couple, stepped_sandbox, stepped_town
from tests.billing.test_purchase_on_sandbox import balance
from tests.sandboxes import RunningSandbox

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    with stepped_sandbox(tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def people(sandbox: RunningSandbox) -> tuple[Person, Person]:
    return couple(sandbox, "faults")


@pytest.fixture
def town(sandbox: RunningSandbox, settings: Settings) -> Iterator[SteppedTown]:
    with stepped_town(sandbox, settings) as town:
        yield town


@dataclass(frozen=True)
class Meanwhile:
    """What the row and its transactions say after three ledgers with the fault on."""

    state: str
    codes: frozenset[str] = frozenset()
    heals: bool = True  # Whether it has to be switched off before the purchase is granted.


SAID = {
    Fault.TRY_AGAIN_LATER: Meanwhile("submitted", frozenset({"TRY_AGAIN_LATER"})),
    Fault.DUPLICATE: Meanwhile("granted", frozenset({"DUPLICATE"}), heals=False),
    Fault.DROPPED: Meanwhile("submitted", frozenset({"PENDING"})),
    Fault.FAILED: Meanwhile("submitted", frozenset({"try-again"})),
    Fault.SURGE: Meanwhile("submitted", frozenset({"txINSUFFICIENT_FEE"})),
    Fault.BAD_SEQUENCE: Meanwhile("submitted", frozenset({"txBAD_SEQ"})),
    Fault.SLOW_CLOSE: Meanwhile("submitted", frozenset({"DUPLICATE"})),
    Fault.TIMEOUT: Meanwhile("authorized"),
    Fault.ANSWER_LOST: Meanwhile("authorized"),
    Fault.INTERNAL_ERROR: Meanwhile("authorized"),
    Fault.STALE: Meanwhile("submitted", frozenset({"txBAD_SEQ"})),
    Fault.SHORT_MEMORY: Meanwhile("granted", frozenset({"PENDING"}), heals=False),
    Fault.EVENT_GAP: Meanwhile("granted", frozenset({"PENDING"}), heals=False),
    Fault.EVENTS_TWICE: Meanwhile("granted", frozenset({"PENDING"}), heals=False),
}


@pytest.mark.parametrize("fault", Fault)
def test_purchase_is_paid_once_and_granted_once(
    town: SteppedTown, people: tuple[Person, Person], fault: Fault
) -> None:
    buyer, payee = people
    before = balance(town.sandbox, payee)
    purchase_id = town.authorized(buyer, payee)
    town.switch_on(fault)
    said = SAID[fault]
    purchase = town.work(purchase_id, turns=3)
    assert purchase.state == said.state
    assert said.codes <= set(ChainTransaction.objects.values_list("last_code", flat=True))
    if said.heals:
        assert not AuditEntry.objects.filter(action="purchase.grant").exists()
    town.heal()
    assert town.work(purchase_id).state == "granted"
    town.assert_paid_once_and_granted_once(payee, before=before)


def test_what_is_never_taken_expires_and_takes_nothing(
    town: SteppedTown, people: tuple[Person, Person]
) -> None:
    buyer, payee = people
    before = balance(town.sandbox, buyer)
    purchase_id = town.authorized(buyer, payee)
    town.switch_on(Fault.DROPPED)
    for _ in range(8):
        town.turn()
        town.step(30)
    ended = Purchase.objects.get(pk=purchase_id)
    assert (ended.state, ended.problem) == ("rejected", "quote-expired")
    assert balance(town.sandbox, buyer) == before
    assert not ChainTransaction.objects.filter(state__in=ChainTransaction.OPEN).exists()


def test_gap_in_the_evidence_is_in_the_audit_log(
    town: SteppedTown, people: tuple[Person, Person]
) -> None:
    """Nobody followed for a while, and the node has forgotten: staff are told what they miss."""
    buyer, payee = people
    purchase_id = town.authorized(buyer, payee)
    town.turn()
    town.switch_on(Fault.SHORT_MEMORY)
    town.step(10)
    town.turn()
    assert AuditEntry.objects.filter(action="evidence.gap").count() == 1
    assert Purchase.objects.get(pk=purchase_id).state == "submitted"
    town.heal()
    assert town.work(purchase_id).state == "granted"
