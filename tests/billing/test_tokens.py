"""Paying in a SEP-41 token that is no classic asset: the rail knows its contract and nothing else.

The sandbox's own asset contracts are SEP-41 tokens as well. Here one of them is sold under another
code, so that nothing in the purchase speaks of an issuer or a trustline.
"""

import time
from collections.abc import Iterator
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest
from apicharge_client.pins import Pin
from pytest_django.fixtures import Settings

from billing import channels, conf, keys, refunding
from billing.models import Purchase
from billing.rails.stellar import StellarRail, tokens
from billing.rails.stellar.rpc import Rpc
from marketplace import quoting
from marketplace.domain.chains import Asset
from tests.billing.api.speaking import Api, Said
from tests.billing.buying import PRICE, Person, person, quote_for
from tests.billing.test_purchase_on_sandbox import balance, work
from tests.sandboxes import RunningSandbox

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
FEE = 25_000


@pytest.fixture
def token(database: str, on_sandbox: RunningSandbox, settings: Settings) -> Iterator[Asset]:
    sac = settings.CHAIN.assets["EURC"].sac
    made = Asset("TOKEN", sac, sac)
    assets = MappingProxyType({**settings.CHAIN.assets, "TOKEN": made})
    settings.CHAIN = replace(settings.CHAIN, assets=assets)
    seed = bytes.fromhex(settings.CHANNEL_KEY_SEED.reveal())
    signers = [quoting.signer_public_key()]
    rail = StellarRail(settings.CHAIN, on_sandbox.url, quote_signers=signers, channel_key=seed)
    with conf.paying_by(rail):
        channels.ensure(2, now_s=time.time())
        keys.ensure_registered()
        yield made


def asked(token: Asset, buyer: Person, payee: Person, treasury: Person, **terms: Any) -> Said:
    quote = quote_for(
        payee.address,
        asset=token.code,
        asset_issuer=token.issuer,
        sac=token.sac,
        fee=FEE,
        treasury=treasury.address,
        **terms,
    )
    return Api().buy(quote.to_json(), buyer)


def people(sandbox: RunningSandbox, name: str) -> tuple[Person, Person, Person]:
    made = (person(f"{name} buyer"), person(f"{name} payee"), person(f"{name} treasury"))
    for somebody in made:
        sandbox.fund(somebody.address, "EURC")
    return made


def test_purchase_in_a_token_moves_it_to_the_unit(token: Asset, on_sandbox: RunningSandbox) -> None:
    buyer, payee, treasury = people(on_sandbox, "token")
    before = [balance(on_sandbox, each, "EURC") for each in (buyer, payee, treasury)]
    said = asked(token, buyer, payee, treasury)
    assert said.status == 201, said.body
    Api().authorize(said.body, buyer)
    assert work(said.body["id"]).state == "granted"
    after = [balance(on_sandbox, each, "EURC") for each in (buyer, payee, treasury)]
    moved = [new - old for new, old in zip(after, before, strict=True)]
    assert moved == [-PRICE, PRICE - FEE, FEE]
    purchase = Purchase.objects.get()
    wish = {"reason": "", "ends_grant": False, "actor": "x", "seller": None}
    refund = refunding.prepare(purchase.pk, amount=1, now_s=time.time(), **wish)  # type: ignore[arg-type]
    assert refund.asset == token.sac


def test_buyer_with_too_little_of_a_token_is_told_how_much_to_add(
    token: Asset, on_sandbox: RunningSandbox
) -> None:
    buyer, payee, treasury = people(on_sandbox, "poor token")
    said = asked(token, buyer, payee, treasury, amount=10_000_000_001)
    assert (said.status, said.problem) == (422, "insufficient-balance")
    assert "add at least 0.0000001." in said.body["detail"]


def test_token_that_refuses_the_receiver_is_heard(token: Asset, on_sandbox: RunningSandbox) -> None:
    buyer, _, treasury = people(on_sandbox, "refusing token")
    nobody = person("refusing token nobody")
    on_sandbox.fund(nobody.address)
    said = asked(token, buyer, nobody, treasury)
    assert said.status == 422
    assert not Purchase.objects.exists()
    assert said.problem == "cannot-pay"


def test_contract_that_is_no_token_is_named(
    token: Asset, on_sandbox: RunningSandbox, settings: Settings
) -> None:
    odd = settings.CHAIN.contract
    assets = MappingProxyType({**settings.CHAIN.assets, "ODD": Asset("ODD", odd, odd)})
    chain = replace(settings.CHAIN, assets=assets)
    rail = StellarRail(chain, on_sandbox.url, quote_signers=[], channel_key=bytes(32))
    steps = {step.words.split()[1].rstrip(":"): step for step in rail.founding().assets()}
    assert steps["TOKEN"].done
    assert steps["ODD"].advice == "it does not answer: take it out of APICHARGE_ASSETS"


def test_token_has_as_many_decimals_as_we_count(token: Asset, on_sandbox: RunningSandbox) -> None:
    assert tokens.decimals(Rpc(on_sandbox.url), token.sac, conf.conf().chain.passphrase) == 7


def test_client_takes_a_token_by_its_contract(token: Asset) -> None:
    chain = conf.conf().chain
    pin = Pin("00" * 32, chain.contract, chain.passphrase, {"TOKEN": token.issuer})
    assert pin.sac("TOKEN") == token.sac
