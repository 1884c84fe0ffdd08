import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from apicharge_client import Buyer, run
from apicharge_client.errors import (
    InstructionRefused,
    KeyProblem,
    NotAffordable,
    NotTrusted,
    PurchaseEnded,
    PurchasePending,
    ServerProblem,
    Unreachable,
)
from apicharge_client.money import nothing
from apicharge_client.pins import Expected
from apicharge_client.store import Grant

from tests.client.gateways import FakeGateway
from tests.client.instructions import STRANGER, Proposal, signed_quote

ROUTE = "weather/forecast"


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client() as client:
        yield client


def buy(buyer: Buyer, gateway: FakeGateway, client: httpx.Client, spent: str = "") -> Grant:
    return run(buyer.acquire(gateway.origin, ROUTE, gateway.origin, spent), client)


def lost_answer(buyer: Buyer, gateway: FakeGateway, client: httpx.Client) -> str:
    """The id of a purchase that was signed, and nobody told the buyer what came of it."""
    gateway.drop_answer_to = "/authorization"
    with pytest.raises(Unreachable):
        buy(buyer, gateway, client)
    (purchase_id,) = gateway.purchases
    return purchase_id


def test_bought_grant_is_held(buyer: Buyer, gateway: FakeGateway, client: httpx.Client) -> None:
    grant = buy(buyer, gateway, client)
    assert (grant.route, grant.name, grant.price) == (ROUTE, "Hour pass", "0.25 USDC")
    held = buyer.store.held(gateway.origin, ROUTE)
    assert held.grants == (grant,)
    assert held.pending is None


def test_held_grant_is_used_and_nothing_is_bought(
    buyer: Buyer, gateway: FakeGateway, client: httpx.Client
) -> None:
    assert buy(buyer, gateway, client) == buy(buyer, gateway, client)
    assert gateway.signed == 1


def test_spent_grant_is_followed_by_a_new_one(
    buyer: Buyer, gateway: FakeGateway, client: httpx.Client
) -> None:
    first = buy(buyer, gateway, client)
    second = buy(buyer, gateway, client, spent=first.id)
    assert first.id != second.id
    assert gateway.signed == 2


def test_budget_counts_what_was_signed(
    buyer: Buyer, gateway: FakeGateway, client: httpx.Client
) -> None:
    buy(buyer, gateway, client)
    assert buyer.budget.spent == {"USDC": 2_500_000}


def test_price_above_the_budget_is_not_signed(
    another: Callable[..., Buyer], gateway: FakeGateway, client: httpx.Client
) -> None:
    with pytest.raises(NotAffordable, match=r"Hour pass: 0\.25 USDC"):
        buy(another("USDC:0.2499999"), gateway, client)
    assert gateway.purchases == {}


def test_other_asset_than_budgeted_is_not_signed(
    another: Callable[..., Buyer], gateway: FakeGateway, client: httpx.Client
) -> None:
    with pytest.raises(NotAffordable):
        buy(another("EURC:100"), gateway, client)
    assert gateway.purchases == {}


def test_cheapest_offer_is_bought_unless_one_is_named(
    buyer: Buyer, gateway: FakeGateway, client: httpx.Client
) -> None:
    gateway.quotes += [
        signed_quote(name="Cheap", amount=1_000_000),
        signed_quote(name="Dear", amount=3_000_000),
    ]
    assert buy(buyer, gateway, client).name == "Cheap"
    buyer.wanted = "Dear"
    spent = buyer.store.held(gateway.origin, ROUTE).grants[0].id
    assert buy(buyer, gateway, client, spent).name == "Dear"
    buyer.wanted = str(gateway.quotes[0]["digest"])
    spent = buyer.store.held(gateway.origin, ROUTE).grants[1].id
    assert buy(buyer, gateway, client, spent).name == "Hour pass"


def test_offer_that_is_not_there_is_said(
    buyer: Buyer, gateway: FakeGateway, client: httpx.Client
) -> None:
    buyer.wanted = "Gold"
    with pytest.raises(NotAffordable, match="no offer 'Gold'") as raised:
        buy(buyer, gateway, client)
    assert raised.value.hint == "Offers: 'Hour pass'."


def test_free_quote_needs_no_budget(
    buyer: Buyer, gateway: FakeGateway, client: httpx.Client
) -> None:
    gateway.quotes = [signed_quote(amount=0, fee=0)]
    buyer.budget = nothing()
    assert buy(buyer, gateway, client).price == "free"


def test_without_a_key_nothing_is_bought(
    buyer: Buyer, gateway: FakeGateway, client: httpx.Client
) -> None:
    buyer.key = None
    with pytest.raises(KeyProblem):
        buy(buyer, gateway, client)


def test_lying_instruction_is_not_signed(
    buyer: Buyer, gateway: FakeGateway, client: httpx.Client
) -> None:
    lie = Proposal(signed_quote(), buyer=STRANGER).document()
    gateway.tamper = lambda honest: {**lie, "id": honest["id"]}
    with pytest.raises(InstructionRefused):
        buy(buyer, gateway, client)
    assert gateway.signed == 0
    assert buyer.budget.spent == {}
    assert buyer.store.held(gateway.origin, ROUTE).pending is None


def test_own_node_is_asked_for_the_latest_ledger(
    buyer: Buyer, gateway: FakeGateway, client: httpx.Client
) -> None:
    buyer.rpc_url = f"{gateway.origin}/rpc"
    gateway.rpc_ledger = 4_000
    with pytest.raises(InstructionRefused, match="1100 ledgers ahead"):
        buy(buyer, gateway, client)
    gateway.rpc_ledger = 5_050
    assert buy(buyer, gateway, client)


@pytest.mark.parametrize(
    "changes", [{"price": {}}, {"payee": STRANGER}, {"expires_at": 1}, {"access_seconds": 1}]
)
def test_altered_quote_is_not_bought(
    buyer: Buyer, gateway: FakeGateway, client: httpx.Client, changes: dict[str, object]
) -> None:
    if "price" in changes:
        changes = {"price": {**gateway.quotes[0]["price"], "amount": "1"}, "fee": "0"}
    gateway.quotes = [gateway.quotes[0] | changes]
    with pytest.raises(NotTrusted):
        buy(buyer, gateway, client)
    assert gateway.purchases == {}


def test_signer_that_changes_after_the_first_time_is_refused(
    buyer: Buyer, gateway: FakeGateway, client: httpx.Client
) -> None:
    first = buy(buyer, gateway, client)
    gateway.signer = "ab" * 32
    with pytest.raises(NotTrusted, match=r"signer was .* and is now abab") as raised:
        buy(buyer, gateway, client, first.id)
    assert "--signer" in raised.value.hint


def test_stated_signer_must_be_the_gateways(
    buyer: Buyer, gateway: FakeGateway, client: httpx.Client
) -> None:
    buyer.expected = Expected(signer="cd" * 32)
    with pytest.raises(NotTrusted, match="not cdcd"):
        buy(buyer, gateway, client)
    assert buyer.store.pin(gateway.origin) is None


def test_unknown_outcome_is_taken_up_again_and_not_paid_twice(
    buyer: Buyer, another: Callable[..., Buyer], gateway: FakeGateway, client: httpx.Client
) -> None:
    gateway.after_authorization = "submitted"
    seconds = iter(range(0, 10_000, 50))
    buyer.clock = lambda: float(next(seconds))
    with pytest.raises(PurchasePending):
        buy(buyer, gateway, client)
    (purchase_id,) = gateway.purchases
    gateway.move(purchase_id, "granted")
    assert buy(another(), gateway, client).id == purchase_id
    assert gateway.signed == len(gateway.purchases) == 1


def test_lost_answer_to_the_signature_is_taken_up_again(
    buyer: Buyer, another: Callable[..., Buyer], gateway: FakeGateway, client: httpx.Client
) -> None:
    purchase_id = lost_answer(buyer, gateway, client)
    assert buy(another(), gateway, client).id == purchase_id
    assert gateway.signed == len(gateway.purchases) == 1


def test_signature_that_never_arrived_is_handed_in_again(
    buyer: Buyer, another: Callable[..., Buyer], gateway: FakeGateway, client: httpx.Client
) -> None:
    purchase_id = lost_answer(buyer, gateway, client)
    gateway.purchases[purchase_id].status = "instructed"
    assert buy(another(), gateway, client).id == purchase_id


def test_purchase_that_the_gateway_lost_is_recovered_by_its_quote(
    buyer: Buyer, another: Callable[..., Buyer], gateway: FakeGateway, client: httpx.Client
) -> None:
    purchase_id = lost_answer(buyer, gateway, client)
    gateway.forgotten[purchase_id] = gateway.purchases.pop(purchase_id)
    assert buy(another(), gateway, client).id == purchase_id


def test_nothing_is_bought_while_a_signed_purchase_may_still_be_paid(
    buyer: Buyer, another: Callable[..., Buyer], gateway: FakeGateway, client: httpx.Client
) -> None:
    lost_answer(buyer, gateway, client)
    gateway.purchases.clear()
    with pytest.raises(PurchasePending, match="does not know"):
        buy(another(), gateway, client)
    assert gateway.purchases == {}
    later = another()
    later.clock = lambda: 4_000_000_000 + 200.0
    gateway.quotes = [signed_quote(expires_at=5_000_000_000)]
    assert buy(later, gateway, client)


def test_gateway_that_is_down_for_a_moment_is_asked_again(
    buyer: Buyer, gateway: FakeGateway, client: httpx.Client
) -> None:
    gateway.failures = 2
    assert buy(buyer, gateway, client)
    assert gateway.failures == 0


def test_signature_that_is_not_taken_leaves_nothing_under_way(
    buyer: Buyer, gateway: FakeGateway, client: httpx.Client
) -> None:
    gateway.after_authorization = "invalid"
    with pytest.raises(ServerProblem, match="authorization-invalid"):
        buy(buyer, gateway, client)
    assert buyer.store.held(gateway.origin, ROUTE).pending is None


@pytest.mark.parametrize("end", ["expired", "rejected", "failed"])
def test_ended_purchase_says_why_and_leaves_nothing_under_way(
    buyer: Buyer, gateway: FakeGateway, client: httpx.Client, end: str
) -> None:
    gateway.after_authorization = end
    with pytest.raises(PurchaseEnded, match=f"{end}. The buyer has no USDC"):
        buy(buyer, gateway, client)
    assert buyer.store.held(gateway.origin, ROUTE).pending is None
    assert buyer.budget.spent == {"USDC": 2_500_000}


@pytest.mark.parametrize(
    "lie",
    [
        {"limits": []},
        {"route": "weather/other"},
        {"sub": STRANGER},
        {"jti": "00" * 32},
        {"cnf": None},
        {"starts": "first_use"},
        {"exp": 1_000},
    ],
)
def test_grant_that_is_not_what_was_bought_is_refused(
    buyer: Buyer, gateway: FakeGateway, client: httpx.Client, lie: dict[str, object]
) -> None:
    gateway.tamper_grant = lambda claims: claims | lie
    with pytest.raises(NotTrusted, match=f"grant's {next(iter(lie))}"):
        buy(buyer, gateway, client)


def test_document_of_another_gateway_is_refused(
    buyer: Buyer, gateway: FakeGateway, client: httpx.Client
) -> None:
    alias = gateway.origin.replace("127.0.0.1", "localhost")
    with pytest.raises(Exception, match="speaks for"):
        run(buyer.acquire(alias, ROUTE, alias), client)


def test_problem_of_the_gateway_is_passed_on(
    buyer: Buyer, gateway: FakeGateway, client: httpx.Client
) -> None:
    with pytest.raises(ServerProblem, match="answered 404: not-found"):
        run(buyer.offers(f"{gateway.origin}/nowhere"), client)


def test_ten_at_once_buy_one_grant(another: Callable[..., Buyer], gateway: FakeGateway) -> None:
    gateway.delay_s = 0.02

    def one(_: int) -> str:
        with httpx.Client() as client:
            return buy(another(), gateway, client).id

    with ThreadPoolExecutor(10) as pool:
        assert len(set(pool.map(one, range(10)))) == 1
    assert len(gateway.purchases) == 1


def test_what_is_held_is_for_its_owner_alone(
    buyer: Buyer, gateway: FakeGateway, client: httpx.Client
) -> None:
    buy(buyer, gateway, client)
    files = [path for path in buyer.store.home.rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in buyer.store.home.rglob("*/")} == {0o700}


def test_buyer_key_is_nowhere_in_the_store(
    buyer: Buyer, gateway: FakeGateway, client: httpx.Client
) -> None:
    buy(buyer, gateway, client)
    assert buyer.key is not None
    for path in buyer.store.home.rglob("*.json"):
        text = path.read_text()
        assert buyer.key.seed.hex() not in text
        assert buyer.key.secret not in text
        json.loads(text)
