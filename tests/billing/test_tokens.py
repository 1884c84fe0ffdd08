"""Paying in a SEP-41 token that is no classic asset: the rail knows its contract and nothing else.

The purchase contract here is one that we deployed, so what is bought here was sold by it as well.
"""

import time
from collections.abc import Iterator

import pytest
from apicharge_client.pins import Pin
from pytest_django.fixtures import Settings
from stellar_sdk import scval

from billing import channels, conf, keys, refunding
from billing.models import Purchase
from billing.rails.stellar import tokens
from billing.rails.stellar.rpc import Rpc
from marketplace.domain.chains import Asset
from tests.billing import networks
from tests.billing.api.speaking import Api, Said
from tests.billing.buying import PRICE, Person, person, quote_for
from tests.billing.networks import Founded
from tests.billing.test_purchase_on_sandbox import work
from tests.sandboxes import RunningSandbox

FEE = 25_000
GIVEN = 10_000_000_000


@pytest.fixture(scope="module")
def founded(sandbox: RunningSandbox) -> Founded:
    founded = networks.found(sandbox, "tokens")
    founded = founded.with_asset(networks.deploy_token(founded))
    networks.deploy(founded)
    return founded


@pytest.fixture
def token(founded: Founded) -> Asset:
    return founded.chain.assets[networks.CODE]


@pytest.fixture
def api(database: str, founded: Founded, settings: Settings) -> Iterator[Api]:
    settings.CHAIN = founded.chain
    with conf.paying_by(founded.rail):
        channels.ensure(2, now_s=time.time())
        keys.ensure_registered()
        yield Api()


def asked(api: Api, token: Asset, people: tuple[Person, Person, Person], **terms: object) -> Said:
    buyer, payee, treasury = people
    quote = quote_for(
        payee.address,
        asset=token.code,
        asset_issuer=token.issuer,
        sac=token.sac,
        fee=FEE,
        treasury=treasury.address,
        **terms,
    )
    return api.buy(quote.to_json(), buyer)


def people(founded: Founded, token: Asset, name: str) -> tuple[Person, Person, Person]:
    """Buyer, payee, treasury; the buyer has tokens, and nobody a trustline."""
    buyer, payee, treasury = (person(f"{name} {role}") for role in ("buyer", "payee", "treasury"))
    for somebody in (buyer, payee):
        founded.sandbox.fund(somebody.address)
    mint = [scval.to_address(buyer.address), scval.to_int128(GIVEN)]
    founded.call_token(token, "mint", *mint)
    return buyer, payee, treasury


pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_purchase_in_a_token_moves_it_to_the_unit(api: Api, founded: Founded, token: Asset) -> None:
    everybody = people(founded, token, "token")
    before = [founded.balance(token, each.address) for each in everybody]
    said = asked(api, token, everybody)
    assert said.status == 201, said.body
    api.authorize(said.body, everybody[0])
    assert work(said.body["id"]).state == "granted"
    after = [founded.balance(token, each.address) for each in everybody]
    moved = [new - old for new, old in zip(after, before, strict=True)]
    assert moved == [-PRICE, PRICE - FEE, FEE]
    purchase = Purchase.objects.get()
    assert purchase.contract == founded.chain.contract
    wish = {"reason": "", "ends_grant": False, "actor": "x", "seller": None}
    refund = refunding.prepare(purchase.pk, amount=1, now_s=time.time(), **wish)  # type: ignore[arg-type]
    assert refund.asset == token.sac


def test_buyer_with_too_little_of_a_token_is_told_how_much_to_add(
    api: Api, founded: Founded, token: Asset
) -> None:
    said = asked(api, token, people(founded, token, "poor token"), amount=GIVEN + 1)
    assert (said.status, said.problem) == (422, "insufficient-balance")
    assert "add at least 0.0000001." in said.body["detail"]


def test_token_that_refuses_the_receiver_is_heard(api: Api, founded: Founded, token: Asset) -> None:
    everybody = people(founded, token, "refusing token")
    frozen = [scval.to_address(everybody[1].address), scval.to_bool(True)]
    founded.call_token(token, "freeze", *frozen)
    said = asked(api, token, everybody)
    assert (said.status, said.problem) == (422, "cannot-pay")
    assert not Purchase.objects.exists()


def test_contract_that_is_no_token_is_named(api: Api, founded: Founded) -> None:
    odd = founded.with_asset(Asset("ODD", founded.chain.contract, founded.chain.contract))
    steps = {step.words.split()[1].rstrip(":"): step for step in odd.rail.founding().assets()}
    assert steps[networks.CODE].done
    assert steps["ODD"].advice == "it does not answer: take it out of APICHARGE_ASSETS"


def test_token_has_as_many_decimals_as_we_count(api: Api, founded: Founded, token: Asset) -> None:
    rpc = Rpc(founded.sandbox.url)
    assert tokens.decimals(rpc, token.sac, founded.chain.passphrase) == 7


def test_client_takes_a_token_by_its_contract(api: Api, founded: Founded, token: Asset) -> None:
    chain = founded.chain
    pin = Pin("00" * 32, chain.contract, chain.passphrase, {networks.CODE: token.issuer})
    assert pin.sac(networks.CODE) == token.sac
