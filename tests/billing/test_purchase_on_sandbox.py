"""Real purchases on a (sandbox) network: from a quote to a grant, and every refusal."""

import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.core.management import call_command
from stellar_sdk import Asset, Keypair, Network, SorobanServer, TransactionEnvelope, xdr
from stellar_sdk.auth import authorize_entry

from billing import advancing, channels, conf, following, keys, reconciling
from billing.domain.purchases import SETTLED
from billing.models import ChainTransaction, GrantedToken, Payment, Purchase
from billing.rails.stellar import rail
from billing.rails.stellar.rpc import trustline_key
from gateway.domain import tokens
from gateway.models import GrantLedger
from tests.billing.api.speaking import Api
from tests.billing.buying import PRICE, Person, person, quote_for
from tests.sandboxes import RunningSandbox

pytestmark = pytest.mark.django_db(transaction=True)
PASSPHRASE = Network.TESTNET_NETWORK_PASSPHRASE
LEDGER_S = 0.05
names = itertools.count()


@pytest.fixture
def api(on_sandbox: RunningSandbox) -> Api:
    channels.ensure(2, now_s=time.time())
    keys.ensure_registered()
    return Api()


@pytest.fixture
def funded(on_sandbox: RunningSandbox) -> Callable[..., Person]:
    """Somebody new, with lumens and 1,000 units of each asset."""

    def make(*assets: str) -> Person:
        somebody = person(f"sandbox {next(names)}")
        on_sandbox.fund(somebody.address, *assets)
        return somebody

    return make


@pytest.fixture
def buyer(funded: Callable[..., Person]) -> Person:
    return funded("USDC", "EURC")


@pytest.fixture
def payee(funded: Callable[..., Person]) -> Person:
    return funded("USDC", "EURC")


@pytest.fixture(autouse=True)
def _books_balance(db: None) -> Iterator[None]:
    yield
    found = reconciling.reconcile(now_s=time.time())
    assert [row for row in found if row.finding != "payment_without_purchase"] == []


def work(purchase_id: str, *, seconds: float = 20.0) -> Purchase:
    """Be the worker until the purchase is settled."""
    deadline = time.monotonic() + seconds
    while (purchase := Purchase.objects.get(pk=purchase_id)).state not in SETTLED:
        assert time.monotonic() < deadline, f"{purchase.state} for {seconds} s"
        for due in advancing.due_ids(now_s=time.time()):
            advancing.advance(due, now_s=time.time())
        following.follow(now_s=time.time())
        time.sleep(LEDGER_S)
    return purchase


def instructed(api: Api, buyer: Person, payee: Person, **terms: Any) -> dict[str, Any]:
    said = api.buy(quote_for(payee.address, **terms).to_json(), buyer)
    assert said.status == 201, said.body
    body: dict[str, Any] = said.body
    return body


def balance(sandbox: RunningSandbox, somebody: Person, code: str = "USDC") -> int:
    asset = Asset(code, conf.conf().chain.assets[code].issuer)
    key = trustline_key(somebody.address, asset.to_trust_line_asset_xdr_object())
    found = SorobanServer(sandbox.url).get_ledger_entries([key]).entries
    assert found
    line = xdr.LedgerEntryData.from_xdr(found[0].xdr).trust_line
    assert line is not None
    return line.balance.int64


def test_signed_purchase_is_granted_with_what_was_sold(
    api: Api, buyer: Person, payee: Person
) -> None:
    instruction = instructed(api, buyer, payee)
    assert api.authorize(instruction, buyer).status == 202
    purchase = work(instruction["id"])
    shown = api.get(f"purchases/{instruction['id']}").body
    assert shown["status"] == "granted"
    claims = tokens.jws.parse(shown["granted_access_token"]).payload
    assert claims["jti"] == instruction["id"]
    assert claims["iat"] == claims["nbf"] == purchase.paid_at_s
    assert claims["pay"]["tx"] == shown["transaction"] == purchase.paid_tx_hash
    assert GrantLedger.objects.get().grant_id == instruction["id"]


@pytest.mark.parametrize("code", ["USDC", "EURC"])
def test_payee_gets_the_price_less_the_fee_and_the_treasury_the_fee(
    api: Api, buyer: Person, payee: Person, funded: Any, on_sandbox: RunningSandbox, code: str
) -> None:
    treasury = funded(code)
    asset = conf.conf().chain.assets[code]
    people = [buyer, payee, treasury]
    before = [balance(on_sandbox, somebody, code) for somebody in people]
    instruction = instructed(
        api,
        buyer,
        payee,
        asset=code,
        asset_issuer=asset.issuer,
        sac=asset.sac,
        fee=25_000,
        treasury=treasury.address,
    )
    api.authorize(instruction, buyer)
    assert work(instruction["id"]).state == "granted"
    after = [balance(on_sandbox, somebody, code) for somebody in people]
    moved = [new - old for new, old in zip(after, before, strict=True)]
    assert moved == [-PRICE, PRICE - 25_000, 25_000]


def test_entry_that_the_sdk_signed_is_accepted(api: Api, buyer: Person, payee: Person) -> None:
    instruction = instructed(api, buyer, payee)
    signed = authorize_entry(
        instruction["entry_xdr"],
        Keypair.from_raw_ed25519_seed(buyer.seed),
        instruction["valid_until_ledger"],
        PASSPHRASE,
    )
    path = f"purchases/{instruction['id']}/authorization"
    assert api.post(path, {"entry_xdr": signed.to_xdr()}).status == 202
    assert api.authorize(instruction, buyer).status == 202  # The same, said otherwise.
    assert work(instruction["id"]).state == "granted"


def test_entry_with_another_amount_is_refused(api: Api, buyer: Person, payee: Person) -> None:
    instruction = instructed(api, buyer, payee)
    entry = xdr.SorobanAuthorizationEntry.from_xdr(instruction["entry_xdr"])
    transfer = entry.root_invocation.sub_invocations[0].function.contract_fn
    assert transfer is not None
    transfer.args[2] = xdr.SCVal.from_xdr(transfer.args[2].to_xdr())
    i128 = transfer.args[2].i128
    assert i128 is not None
    i128.lo = xdr.Uint64(1)
    signed = authorize_entry(
        entry,
        Keypair.from_raw_ed25519_seed(buyer.seed),
        instruction["valid_until_ledger"],
        PASSPHRASE,
    )
    path = f"purchases/{instruction['id']}/authorization"
    said = api.post(path, {"entry_xdr": signed.to_xdr()})
    assert (said.status, said.problem) == (422, "authorization-invalid")
    assert Purchase.objects.get().authorization == ""


def signed_transaction(instruction: dict[str, Any], buyer: Person) -> str:
    envelope = TransactionEnvelope.from_xdr(instruction["transaction"]["xdr"], PASSPHRASE)
    envelope.sign(Keypair.from_raw_ed25519_seed(buyer.seed))
    return envelope.to_xdr()


def test_wallet_that_signs_transactions_only_buys_without_paying_fees(
    api: Api, buyer: Person, payee: Person
) -> None:
    instruction = instructed(api, buyer, payee)
    path = f"purchases/{instruction['id']}/authorization"
    said = api.post(path, {"transaction_xdr": signed_transaction(instruction, buyer)})
    assert said.status == 202, said.body
    assert work(instruction["id"]).state == "granted"
    assert api.authorize(instruction, buyer).status == 409  # Valid, and another one.


def test_sep7_wallet_calls_back_with_what_it_signed(api: Api, buyer: Person, payee: Person) -> None:
    instruction = instructed(api, buyer, payee)
    link = instruction["transaction"]["sep7"]
    assert link.startswith("web+stellar:tx?")
    query = parse_qs(link.partition("?")[2])
    assert query["xdr"] == [instruction["transaction"]["xdr"]]
    callback = urlsplit(query["callback"][0].removeprefix("url:")).path
    form = urlencode({"xdr": signed_transaction(instruction, buyer)})
    said = api.post(callback, form, content_type="application/x-www-form-urlencoded")
    assert said.status == 202, said.body
    assert work(instruction["id"]).state == "granted"


def test_buyer_without_account_is_told_to_create_it(api: Api, payee: Person) -> None:
    said = api.buy(quote_for(payee.address).to_json(), person("nobody"))
    assert (said.status, said.problem) == (422, "no-account")


def test_buyer_without_trustline_is_told_to_add_it(
    api: Api, funded: Callable[..., Person], payee: Person
) -> None:
    said = api.buy(quote_for(payee.address).to_json(), funded())
    assert (said.status, said.problem) == (422, "no-trustline")
    assert "trustline" in said.body["detail"]
    assert not Purchase.objects.exists()


def test_buyer_with_too_little_is_told_how_much_to_add(
    api: Api, buyer: Person, payee: Person
) -> None:
    said = api.buy(quote_for(payee.address, amount=10_000_000_001).to_json(), buyer)
    assert (said.status, said.problem) == (422, "insufficient-balance")
    assert "add at least 0.0000001." in said.body["detail"]


def test_payee_without_trustline_is_named(
    api: Api, buyer: Person, funded: Callable[..., Person]
) -> None:
    said = api.buy(quote_for(funded().address).to_json(), buyer)
    assert (said.status, said.problem) == (422, "payee-cannot-receive")


def test_balance_that_is_gone_when_it_is_submitted_rejects_and_takes_nothing(
    api: Api, buyer: Person, payee: Person
) -> None:
    price = 6_000_000_000
    first, second = (instructed(api, buyer, payee, amount=price) for _ in range(2))
    for instruction in (first, second):
        api.authorize(instruction, buyer)
    states = {work(instruction["id"]).state for instruction in (first, second)}
    assert states in ({"granted", "rejected"}, {"granted", "failed"})
    ended = Purchase.objects.exclude(state="granted").get()
    assert ended.problem == "insufficient-balance"


def test_unsigned_purchase_expires_when_its_ledgers_have_passed(
    api: Api, buyer: Person, payee: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rail, "VALID_FOR_LEDGERS", 20)
    instruction = instructed(api, buyer, payee)
    purchase = work(instruction["id"], seconds=30)
    assert purchase.state == "expired"
    assert purchase.valid_until is not None
    assert advancing.followed_ledger() > purchase.valid_until
    assert api.authorize(instruction, buyer).status == 409


def test_payment_sent_by_somebody_else_is_granted_from_its_event(
    api: Api, buyer: Person, payee: Person
) -> None:
    """Whoever holds the signed entry can send it: the grant does not care."""
    instruction = instructed(api, buyer, payee)
    api.authorize(instruction, buyer)
    advancing.advance(instruction["id"], now_s=time.time())
    ours = ChainTransaction.objects.get()
    ChainTransaction.objects.filter(pk=ours.pk).delete()
    deadline = time.monotonic() + 10
    payments = Payment.objects.filter(purchase_ref=instruction["id"])
    while not payments.exists():
        assert time.monotonic() < deadline
        following.follow(now_s=time.time())
    assert work(instruction["id"]).state == "granted"
    assert payments.get().tx_hash == ours.tx_hash


def test_many_purchases_at_once_share_the_channels(
    api: Api, payee: Person, funded: Callable[..., Person]
) -> None:
    channels.ensure(4, now_s=time.time())
    people = [funded("USDC") for _ in range(8)]
    instructions = [instructed(api, somebody, payee) for somebody in people]
    for somebody, instruction in zip(people, instructions, strict=True):
        api.authorize(instruction, somebody)
    assert {work(instruction["id"]).state for instruction in instructions} == {"granted"}
    assert GrantedToken.objects.count() == 8
    used = ChainTransaction.objects.values_list("channel", "sequence")
    assert len(set(used)) == len(used)


def test_lost_row_is_recovered_from_the_chain_alone(api: Api, buyer: Person, payee: Person) -> None:
    quote = quote_for(payee.address)
    instruction = api.buy(quote.to_json(), buyer).body
    api.authorize(instruction, buyer)
    work(instruction["id"])
    first = GrantedToken.objects.get().token
    forget_everything()
    said = api.post(f"purchases/{instruction['id']}/recover", {"quote": quote.to_json()})
    assert (said.status, said.body["status"]) == (200, "granted")
    assert said.body["granted_access_token"] == first


def forget_everything() -> None:
    """As if the database had been lost, but not the keys."""
    call_command("flush", interactive=False, verbosity=0)
    keys.ensure_registered()
