"""Wallets log in with their SDKs' own code, and see what they bought."""

import base64
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import pytest
from django.core.cache import cache
from django.test import Client
from stellar_sdk import Account, Keypair, TransactionBuilder, TransactionEnvelope
from stellar_sdk.client.base_sync_client import BaseSyncClient
from stellar_sdk.client.response import Response
from stellar_sdk.sep import stellar_web_authentication as sep10
from stellar_sdk.sep.stellar_toml import fetch_stellar_toml

from billing import conf
from billing.domain.logins import CHALLENGE_SECONDS, TOKEN_SECONDS
from billing.orders import terms_of
from billing.rails.port import Signers
from billing.rails.stellar import envelopes
from tests.billing.api.speaking import Api, Said
from tests.billing.buying import Person, person
from tests.billing.working import BUYER, Shop
from tests.sandboxes import RunningSandbox


def keypair(somebody: Person) -> Keypair:
    return Keypair.from_raw_ed25519_seed(somebody.seed)


def by_text(api: Api, somebody: Person, **changes: str) -> Said:
    asked = api.get(f"auth/text?account={somebody.address}").body["message"]
    signature = base64.b64encode(keypair(somebody).sign_message(asked)).decode()
    return api.post("auth/text", {"message": asked, "signature": signature, **changes})


def mine(api: Api, token: str) -> Said:
    return api.get("purchases", authorization=f"Bearer {token}")


def test_buyer_who_signs_a_text_sees_what_the_buyer_bought(api: Api, shop: Shop) -> None:
    bought, others = shop.instruct(), shop.instruct(person("another"))
    shop.rail.pay(terms_of(bought))
    shop.turn()
    said = by_text(api, BUYER)
    assert said.status == 200
    listed = mine(api, said.body["token"])
    assert listed.status == 200
    (told,) = listed.body["purchases"]
    assert (told["id"], told["status"], told["route"]) == (bought.pk, "granted", bought.route)
    assert told["price"] == {"amount": str(bought.amount), "asset": "USDC"}
    assert told["granted_access_token"]
    assert others.pk not in json.dumps(listed.body)


def test_stranger_sees_nothing(api: Api, shop: Shop) -> None:
    shop.instruct()
    for headers in ({}, {"authorization": "Bearer x"}, {"authorization": "Basic x"}):
        said = api.get("purchases", **headers)
        assert (said.status, said.problem) == (401, "login-refused")


def test_text_is_used_once(api: Api) -> None:
    asked = api.get(f"auth/text?account={BUYER.address}").body["message"]
    signature = base64.b64encode(keypair(BUYER).sign_message(asked)).decode()
    body = {"message": asked, "signature": signature}
    assert api.post("auth/text", body).status == 200
    said = api.post("auth/text", body)
    assert (said.status, said.problem) == (401, "login-refused")


def test_signature_of_anybody_else_is_refused(api: Api) -> None:
    asked = api.get(f"auth/text?account={BUYER.address}").body["message"]
    signature = base64.b64encode(keypair(person("thief")).sign_message(asked)).decode()
    said = api.post("auth/text", {"message": asked, "signature": signature})
    assert (said.status, said.problem) == (401, "login-refused")
    assert by_text(api, BUYER, signature="AAAA").status == 401
    assert by_text(api, BUYER, message="Give me a token").status == 401


def test_account_that_its_own_key_does_not_rule_is_not_opened_by_it(api: Api, shop: Shop) -> None:
    shop.rail.signers = lambda address: Signers(2, {address: 1})  # type: ignore[method-assign]
    said = by_text(api, BUYER)
    assert (said.status, said.problem) == (401, "login-refused")
    assert "SEP-10" in said.body["detail"]


def test_text_and_token_end(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    token = by_text(api, BUYER).body["token"]
    asked = api.get(f"auth/text?account={BUYER.address}").body["message"]
    signature = base64.b64encode(keypair(BUYER).sign_message(asked)).decode()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + CHALLENGE_SECONDS + 1)
    assert api.post("auth/text", {"message": asked, "signature": signature}).status == 401
    assert mine(api, token).status == 200
    monkeypatch.setattr(time, "time", lambda: now + TOKEN_SECONDS + 1)
    assert mine(api, token).status == 401


@pytest.mark.parametrize("path", ["auth", "auth/text"])
@pytest.mark.parametrize("account", ["", "x", "MA" + "A" * 67])
def test_challenge_is_for_an_account(api: Api, path: str, account: str) -> None:
    assert api.get(f"{path}?account={account}").status == 400


def test_logins_of_a_network_are_limited(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.clear()
    monkeypatch.setattr("billing.api.logins.LOGINS_PER_NETWORK_MINUTE", 2)
    statuses = [by_text(api, BUYER).status for _ in range(3)]
    assert statuses == [200, 200, 429]


@dataclass
class DjangoClient(BaseSyncClient):
    """The SDK's requests, answered by this project without a socket."""

    client: Client

    def get(self, url: str, params: dict[str, str] | None = None, **_: Any) -> Response:
        said = self.client.get(urlsplit(url).path, params or {})
        return Response(said.status_code, said.content.decode(), dict(said.headers), url)

    def post(self, *_: Any, **__: Any) -> Response:
        pytest.fail("reading stellar.toml posts nothing")

    def stream(self, *_: Any, **__: Any) -> Iterator[Any]:
        pytest.fail("reading stellar.toml streams nothing")

    def close(self) -> None: ...


def test_stellar_toml_names_our_key_and_endpoint(api: Api) -> None:
    toml = fetch_stellar_toml(conf.domain(), client=DjangoClient(Client()), use_http=True)
    assert toml["NETWORK_PASSPHRASE"] == conf.conf().chain.passphrase
    assert toml["WEB_AUTH_ENDPOINT"] == f"{conf.conf().origin}/apicharge/v1/auth"
    assert toml["SIGNING_KEY"] == toml["URI_REQUEST_SIGNING_KEY"] == conf.login_address()
    assert {each["code"] for each in toml["CURRENCIES"]} == set(conf.conf().chain.assets)
    said = Client().get("/.well-known/stellar.toml")
    assert said.headers["Access-Control-Allow-Origin"] == "*"
    assert said.headers["Content-Type"].startswith("text/plain")


@pytest.fixture
def online(db: None, on_sandbox: RunningSandbox) -> RunningSandbox:
    return on_sandbox


def challenge(api: Api, account: str) -> TransactionEnvelope:
    """As a wallet takes it: only when the SDK finds it in order."""
    said = api.get(f"auth?account={account}&home_domain={quote(conf.domain())}")
    assert said.status == 200, said.body
    assert said.headers["Access-Control-Allow-Origin"] == "*"
    told = sep10.read_challenge_transaction(
        said.body["transaction"],
        conf.login_address(),
        conf.domain(),
        conf.domain(),
        said.body["network_passphrase"],
    )
    assert told.client_account_id == account
    return TransactionEnvelope.from_xdr(said.body["transaction"], conf.conf().chain.passphrase)


@pytest.mark.parametrize("content_type", ["application/json", "application/x-www-form-urlencoded"])
@pytest.mark.parametrize("exists", [False, True])
def test_sep_10_gives_a_token_to_who_holds_the_account(
    online: RunningSandbox, exists: bool, content_type: str
) -> None:
    api, holder = Api(), person(f"sep10 {exists} {content_type}")
    if exists:
        online.fund(holder.address)
    envelope = challenge(api, holder.address)
    envelope.sign(keypair(holder))
    body: object = {"transaction": envelope.to_xdr()}
    if content_type != "application/json":
        body = f"transaction={quote(envelope.to_xdr(), safe='')}"
    said = api.post("auth", body, content_type=content_type)
    assert said.status == 200, said.body
    assert mine(api, said.body["token"]).body == {"purchases": []}
    again = api.post("auth", body, content_type=content_type)
    assert (again.status, again.problem) == (401, "login-refused")


def test_sep_10_refuses_what_others_signed_and_what_is_not_its_own(online: RunningSandbox) -> None:
    api, holder, thief = Api(), person("sep10 holder"), person("sep10 thief")
    unsigned = challenge(api, holder.address)
    stolen = challenge(api, holder.address)
    stolen.sign(keypair(thief))
    forged = sep10.build_challenge_transaction(
        keypair(thief).secret,
        thief.address,
        conf.domain(),
        conf.domain(),
        conf.conf().chain.passphrase,
    )
    for transaction in (unsigned.to_xdr(), stolen.to_xdr(), forged, "AAAA"):
        said = api.post("auth", {"transaction": transaction})
        assert (said.status, said.problem) == (401, "login-refused")
    assert api.post("auth", {}).status == 400
    assert api.get(f"auth?account={holder.address}&home_domain=evil.example").status == 400
    assert api.get(f"auth?account={holder.address}&memo=1").status == 400


def test_link_is_signed_for_wallets_where_our_domain_can_be_asked(online: RunningSandbox) -> None:
    chain, seed = conf.conf().chain, conf.login_seed()
    holder = keypair(person("linked"))
    builder = TransactionBuilder(Account(holder.public_key, 1), chain.passphrase)
    body = builder.append_manage_data_op("a", "b").add_time_bounds(0, 0).build().to_xdr()
    said = envelopes.Link(holder.public_key, "https://gw.example/sep7", "Hour pass", seed)
    signed = envelopes.link(body, chain, said)
    assert "origin_domain=gw.example" in signed
    payload, _, signature = signed.rpartition("&signature=")
    # SEP-7: 35 zero bytes, a 4, the prefix, and the link without its signature.
    signed_bytes = bytes(35) + b"\x04stellar.sep.7 - URI Scheme" + payload.encode()
    told = Keypair.from_public_key(conf.login_address())
    told.verify(signed_bytes, base64.b64decode(unquote(signature)))
    local = envelopes.Link(holder.public_key, "http://127.0.0.1:8000/sep7", "x", seed)
    assert "signature=" not in envelopes.link(body, chain, local)
