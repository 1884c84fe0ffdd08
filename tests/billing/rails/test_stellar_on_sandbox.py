"""The rail against a (sandbox) node: the contract's own refusals, replays, a node that is away."""

import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.conf import settings
from stellar_sdk import xdr

from billing.domain.errors import CannotPay, NetworkUnavailable
from billing.rails.port import (
    Absent,
    Applied,
    Authorization,
    Instruction,
    Order,
    Refusal,
    Refused,
    Sent,
    SignatureOffered,
    Slot,
)
from billing.rails.stellar import StellarRail
from marketplace import quoting
from marketplace.domain import quotes
from tests.billing.buying import Person, person, quote_for
from tests.sandboxes import RunningSandbox
from tests.waiting import until

MASTER = b"\x07" * 32


@pytest.fixture
def rail(sandbox: RunningSandbox) -> StellarRail:
    return rail_at(sandbox.url)


def rail_at(url: str, **options: Any) -> StellarRail:
    signers = options.get("quote_signers", [quoting.signer_public_key()])
    return StellarRail(settings.CHAIN, url, quote_signers=signers, channel_key=MASTER)


@pytest.fixture
def make(sandbox: RunningSandbox, request: pytest.FixtureRequest) -> Callable[..., Order]:
    people = {role: person(f"{request.node.name} {role}") for role in ("buyer", "payee")}
    for somebody in people.values():
        sandbox.fund(somebody.address, "USDC")

    def order(**terms: Any) -> Order:
        buyer, payee = people["buyer"], people["payee"]
        quote = quote_for(terms.pop("payee", payee.address), **terms)
        return Order(secrets.token_bytes(32), buyer.address, buyer.key, quote)

    order.buyer = people["buyer"]  # type: ignore[attr-defined] # who signs
    return order


def call_in(instruction: Instruction) -> str:
    entry = xdr.SorobanAuthorizationEntry.from_xdr(instruction.entry)
    return entry.root_invocation.to_xdr()


def instruct(rail: StellarRail, order: Order) -> Any:
    return rail.instruct(order, callback="http://127.0.0.1/", now_s=time.time())


@pytest.mark.parametrize(
    ("terms", "number"),
    [
        ({"expires_at": 1_700_000_000}, 5),
        ({"expires_at": 4_000_000_000}, 6),
        ({"fee": 250_001}, 3),
    ],
)
def test_quote_that_the_contract_refuses_is_refused_before_it_is_signed(
    rail: StellarRail, make: Callable[..., Order], terms: dict[str, Any], number: int
) -> None:
    with pytest.raises(CannotPay, match=rf"Error\(Contract, #{number}\)"):
        instruct(rail, make(**terms))


def test_quote_of_another_signer_is_refused(
    sandbox: RunningSandbox, make: Callable[..., Order]
) -> None:
    stranger = person("quote signer of somebody else")
    order = make()
    quote = quotes.sign(order.quote, settings.CHAIN, stranger.seed)
    with pytest.raises(CannotPay, match=r"Error\(Contract, #7\)"):
        instruct(rail_at(sandbox.url, quote_signers=[stranger.key]), replace(order, quote=quote))


def test_what_was_instructed_before_the_quote_key_changed_is_still_paid(
    sandbox: RunningSandbox, make: Callable[..., Order]
) -> None:
    order, successor = make(), person("the next quote signer")
    instruction = instruct(rail_at(sandbox.url), order)
    signers = [successor.key, quoting.signer_public_key()]
    later = rail_at(sandbox.url, quote_signers=signers)
    assert call_in(instruct(later, order)) == call_in(instruction)


def test_buyer_does_not_buy_of_itself(rail: StellarRail, make: Callable[..., Order]) -> None:
    buyer: Person = make.buyer  # type: ignore[attr-defined] # set above
    with pytest.raises(CannotPay, match=r"Error\(Contract, #10\)"):
        instruct(rail, make(payee=buyer.address))


def test_applied_payment_is_told_and_its_replay_moves_nothing(
    rail: StellarRail, make: Callable[..., Order]
) -> None:
    order = make()
    authorization = authorized(rail, order, make.buyer)  # type: ignore[attr-defined]
    channel = rail.channel(0)
    if rail.channel_state(channel.address) is None:
        rail.fund([channel.address])

    def slot() -> Slot:
        state = rail.channel_state(channel.address)
        assert state is not None
        return Slot(channel, state.sequence + 1, int(time.time()) + 45)

    built = rail.build(order, authorization, slot())
    assert not isinstance(built, Refused)
    assert isinstance(rail.outcome(built.tx_hash, order), Absent)
    assert rail.send(built.body).sent is Sent.ACCEPTED
    until(lambda: isinstance(rail.outcome(built.tx_hash, order), Applied))

    outcome = rail.outcome(built.tx_hash, order)
    assert isinstance(outcome, Applied)
    (payment,) = outcome.payments
    assert payment.terms.purchase_id == order.purchase_id.hex()
    assert rail.find_payments(order.quote.digest) == (payment,)

    again = rail.build(order, authorization, slot())
    assert isinstance(again, Refused)
    assert again.refusal is Refusal.SPENT
    assert rail.send(built.body).sent in {Sent.ACCEPTED, Sent.STALE_SEQUENCE}
    assert rail.find_payments(order.quote.digest) == (payment,)


def authorized(rail: StellarRail, order: Order, buyer: Person) -> Authorization:
    instruction = instruct(rail, order)
    offered = SignatureOffered(buyer.address, buyer.sign(instruction.signing_hash))
    return rail.authorize(order, instruction, offered)


def test_instruction_expires_within_what_clients_accept(
    rail: StellarRail, make: Callable[..., Order]
) -> None:
    instruction = instruct(rail, make())
    assert 0 < instruction.valid_until - instruction.latest <= 200


def test_node_that_is_away_is_one_fault(make: Callable[..., Order]) -> None:
    nowhere = rail_at("http://127.0.0.1:9")
    with pytest.raises(NetworkUnavailable):
        instruct(nowhere, make())
    with pytest.raises(NetworkUnavailable):
        nowhere.payments_after("")
    assert nowhere.send("AAAA").sent is Sent.UNKNOWN


def test_cursor_goes_on_where_it_stopped(rail: StellarRail) -> None:
    first = rail.payments_after("")
    again = rail.payments_after(first.cursor)
    assert again.payments == ()
    assert again.followed.ledger >= first.followed.ledger
    assert not again.gap
