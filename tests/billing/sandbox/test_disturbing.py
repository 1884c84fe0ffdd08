"""What each fault does to the node's answers, as an unmodified SDK hears them."""

from base64 import b64encode

import pytest
from stellar_sdk import SorobanServer
from stellar_sdk.exceptions import SorobanRpcErrorResponse
from stellar_sdk.soroban_rpc import GetTransactionStatus, SendTransactionStatus

from billing.sandbox.disturbing import Disturbed
from billing.sandbox.envelopes import Envelope
from billing.sandbox.faults import Fault
from billing.sandbox.methods import Methods
from billing.sandbox.past import Seen
from tests.billing.sandbox.town import BUYER, PAYEE, SERVER, InProcess, Town, code_of, signed

Status = SendTransactionStatus


class Disturbing:
    def __init__(self, town: Town) -> None:
        def make(seen: Seen) -> Methods:
            return Methods(town.node, friendbot_url="", clock=lambda: town.now_s, seen=seen)

        self.town = town
        self.disturbed = Disturbed(town.node, town.node.faults, make)
        self.rpc = SorobanServer("http://in.process", InProcess(self))  # type: ignore[arg-type] # its `methods`

    @property
    def methods(self) -> Disturbed:
        return self.disturbed

    def send(self, envelope: Envelope) -> SendTransactionStatus:
        return self.rpc.send_transaction(envelope_text(envelope)).status

    def close(self) -> None:
        self.town.close()
        self.disturbed.ledger_closed()

    def found(self, envelope: Envelope) -> GetTransactionStatus:
        return self.rpc.get_transaction(envelope.hash.hex()).status


def envelope_text(envelope: Envelope) -> str:
    return b64encode(envelope.raw).decode()


@pytest.fixture
def net(town: Town) -> Disturbing:
    return Disturbing(town)


@pytest.mark.parametrize(
    ("fault", "answer", "is_taken"),
    [
        (Fault.TRY_AGAIN_LATER, Status.TRY_AGAIN_LATER, False),
        (Fault.SURGE, Status.ERROR, False),
        (Fault.BAD_SEQUENCE, Status.ERROR, False),
        (Fault.DROPPED, Status.PENDING, False),
        (Fault.DUPLICATE, Status.DUPLICATE, True),
    ],
)
def test_sending_is_answered_so(
    net: Disturbing, fault: Fault, answer: SendTransactionStatus, is_taken: bool
) -> None:
    payment = net.town.pay(BUYER, PAYEE)
    net.disturbed.switch_on(fault, 1)
    assert net.send(payment) is answer
    assert (payment.hash in net.town.node.queue.waiting) is is_taken
    if not is_taken:
        net.town.reopen()
        assert net.town.node.queue.waiting == {}


def test_same_bytes_are_taken_when_the_fault_is_over(net: Disturbing) -> None:
    payment = net.town.pay(BUYER, PAYEE)
    net.disturbed.switch_on(Fault.DROPPED, 1)
    assert [net.send(payment), net.send(payment)] == [Status.PENDING, Status.PENDING]
    net.close()
    assert net.found(payment) is GetTransactionStatus.SUCCESS


def test_call_fails_in_its_ledger_and_costs_its_fee(net: Disturbing) -> None:
    town = net.town
    arguments = town.purchase()
    te = town.call(arguments, [town.authorize(town.authorization(arguments))])
    ready = signed(town.rpc.prepare_transaction(te), SERVER)
    lumens, dollars = town.lumens(SERVER), town.balance(BUYER)
    net.disturbed.switch_on(Fault.FAILED, 1)
    told = town.apply(ready)
    assert (told.status, code_of(told)) == (GetTransactionStatus.FAILED, "txFAILED")
    assert town.lumens(SERVER) < lumens
    assert town.balance(BUYER) == dollars


def test_internal_error_is_an_error_of_the_rpc(net: Disturbing) -> None:
    net.disturbed.switch_on(Fault.INTERNAL_ERROR, 1)
    with pytest.raises(SorobanRpcErrorResponse, match="internal error"):
        net.rpc.get_health()
    assert net.rpc.get_health().status == "healthy"


def test_stale_node_takes_what_is_sent_and_sees_nothing_of_it(net: Disturbing) -> None:
    payment = net.town.pay(BUYER, PAYEE)
    net.disturbed.switch_on(Fault.STALE, 3)
    before = net.rpc.get_latest_ledger().sequence
    sequence = net.rpc.load_account(BUYER.public_key).sequence
    assert net.send(payment) is Status.PENDING
    for _ in range(2):
        net.close()
        assert net.found(payment) is GetTransactionStatus.NOT_FOUND
        assert net.rpc.get_latest_ledger().sequence == before
        assert net.rpc.load_account(BUYER.public_key).sequence == sequence
        told = net.rpc.get_transactions(start_ledger=before).transactions
        assert [one.transaction_hash for one in told].count(payment.hash.hex()) == 0
        assert len(net.rpc.get_ledgers(start_ledger=before).ledgers) == 1
    net.close()
    assert net.found(payment) is GetTransactionStatus.SUCCESS
    assert net.rpc.load_account(BUYER.public_key).sequence > sequence


def test_node_with_a_short_memory_refuses_older_ledgers(net: Disturbing) -> None:
    payment = net.town.pay(BUYER, PAYEE)
    net.town.apply(payment)
    start = net.town.node.latest.sequence
    net.disturbed.switch_on(Fault.SHORT_MEMORY, None)
    for _ in range(3):
        assert net.found(payment) is GetTransactionStatus.SUCCESS
        net.close()
    assert net.found(payment) is GetTransactionStatus.NOT_FOUND
    with pytest.raises(SorobanRpcErrorResponse, match="ledger range"):
        net.rpc.get_events(start_ledger=start)
    assert net.rpc.get_health().oldest_ledger == start + 1
    net.disturbed.switch_off(Fault.SHORT_MEMORY)
    assert net.found(payment) is GetTransactionStatus.SUCCESS


def test_events_are_left_out_or_told_twice(net: Disturbing) -> None:
    net.town.apply(net.town.pay(BUYER, PAYEE))
    start = net.town.node.latest.sequence
    well = net.rpc.get_events(start_ledger=start)
    assert well.events
    net.disturbed.switch_on(Fault.EVENT_GAP, 1)
    gap = net.rpc.get_events(start_ledger=start)
    assert (gap.events, gap.cursor) == ([], well.cursor)
    net.disturbed.switch_on(Fault.EVENTS_TWICE, 1)
    twice = net.rpc.get_events(start_ledger=start)
    assert [event.id for event in twice.events[::2]] == [event.id for event in well.events]
    assert twice.events[::2] == twice.events[1::2]
