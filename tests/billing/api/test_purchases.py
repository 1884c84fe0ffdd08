"""Each status of the purchase endpoints. On a refusal also: what did not change."""

import base64
import hashlib
import json
import time
from dataclasses import replace
from typing import Any

import pytest

from apicharge_site.state import Secret
from billing import instructing, recovering
from billing.domain.errors import InsufficientBalance
from billing.models import AuditEntry, GrantedToken, IdempotentRequest, Purchase
from billing.orders import terms_of
from gateway.domain import tokens
from marketplace import quoting
from tests.billing.api.speaking import Api, worked
from tests.billing.buying import PRICE, person, quote_for
from tests.billing.working import BUYER, PAYEE, Shop, state_of

STRANGER = person("stranger")
FREE: dict[str, Any] = {"amount": 0, "fee": 0}


def quote(**changes: Any) -> dict[str, Any]:
    return dict(quote_for(PAYEE.address, **changes).to_json())


def test_quote_becomes_an_instruction_with_everything_to_sign(api: Api) -> None:
    said = api.buy(quote(), BUYER)
    assert said.status == 201
    assert set(said.body) == {
        "id",
        "status",
        "status_url",
        "expires_at",
        "authorization_to_sign",
        "preimage_xdr",
        "entry_xdr",
        "valid_until_ledger",
        "latest_ledger",
        "transaction",
    }
    assert said.body["status"] == "instructed"
    assert said.body["status_url"].endswith(f"/apicharge/v1/purchases/{said.body['id']}")
    row = Purchase.objects.get()
    assert (row.pk, row.buyer, row.amount) == (said.body["id"], BUYER.address, PRICE)
    assert row.access_key == BUYER.key.hex()


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("strip", [b"", b"="])
def test_access_key_is_taken_in_both_alphabets_with_and_without_padding(
    api: Api, encode: Any, strip: bytes
) -> None:
    key = b"\xfb\xff" * 16
    text = encode(key).rstrip(strip).decode() if strip else encode(key).decode()
    assert api.buy(quote(), BUYER, access_key=text).status == 201
    assert Purchase.objects.get().access_key == key.hex()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"\xff\xfe",
        b'{"buyer": NaN}',
        b'{"buyer": "\\ud800"}',
        b'{"buyer": "\\u0000"}',
        b"[" * 60_000,
        {},
        {"buyer": BUYER.address},
        {"buyer": BUYER.address, "digest": "00" * 32, "quote": {}},
        {"buyer": BUYER.address, "digest": "0" * 63},
        {"buyer": BUYER.address, "digest": "G" * 64},
        {"buyer": BUYER.address, "digest": "00" * 32 + "\n"},
        {"buyer": BUYER.address, "digest": 7},
        {"buyer": BUYER.address, "quote": []},
        {"buyer": "GX", "quote": {}},
        {"buyer": BUYER.address.lower(), "quote": {}},
        {"buyer": None, "quote": {}},
        {"buyer": [BUYER.address], "quote": {}},
        {"buyer": BUYER.address, "quote": {}, "access_key": "AA"},
        {"buyer": BUYER.address, "quote": {}, "access_key": "*" * 43},
        {"buyer": BUYER.address, "quote": {}, "access_key": 32},
        {"buyer": BUYER.address, "quote": {}, "price": 0},
    ],
)
def test_body_that_is_not_what_is_asked_for_is_refused(api: Api, body: object) -> None:
    said = api.post("purchases", body)
    assert (said.status, said.problem) == (400, "invalid-request")
    assert not Purchase.objects.exists()


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"digest": "00" * 32}, "digest"),
        ({"signature": "00" * 64}, "signature"),
        ({"payee": STRANGER.address}, "digest"),
        ({"access_seconds": 7200}, "terms"),
        ({"limits": []}, "terms"),
        ({"route": "weather/other"}, "terms"),
        ({"expires_at": 2_000_000_000}, "digest"),
        ({"terms": "00" * 32}, "terms"),
        ({"fee": "1"}, "digest"),
        ({"fee": "99999999"}, "fee"),
        ({"charge": "never"}, "charge"),
        ({"limits": "none"}, "limits"),
    ],
)
def test_quote_that_we_did_not_sign_is_refused(api: Api, change: dict[str, Any], word: str) -> None:
    said = api.buy({**quote(), **change}, BUYER)
    assert (said.status, said.problem) == (422, "quote-invalid")
    assert word in said.body["detail"]
    assert not Purchase.objects.exists()


def test_unknown_digest_is_refused(api: Api) -> None:
    said = api.post("purchases", {"digest": "ab" * 32, "buyer": BUYER.address})
    assert (said.status, said.problem) == (422, "quote-invalid")


def test_quote_with_less_than_a_minute_left_is_refused(api: Api) -> None:
    said = api.buy(quote(expires_at=int(time.time()) + 59), BUYER)
    assert (said.status, said.problem) == (422, "quote-expired")
    assert not Purchase.objects.exists()


def test_buyer_who_cannot_pay_is_told_what_to_do(api: Api, shop: Shop) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise InsufficientBalance("Add at least 1.5.")

    shop.rail.instruct = refuse  # type: ignore[method-assign, assignment] # a refusing rail
    said = api.buy(quote(), BUYER)
    assert (said.status, said.problem) == (422, "insufficient-balance")
    assert said.body["detail"] == "Add at least 1.5."
    assert not Purchase.objects.exists()


def test_network_that_is_away_is_503_with_retry_after(api: Api, shop: Shop) -> None:
    shop.rail.away = True
    said = api.buy(quote(), BUYER)
    assert (said.status, said.problem) == (503, "network-unavailable")
    assert not Purchase.objects.exists()


def test_eleventh_open_instruction_of_a_buyer_is_refused(api: Api) -> None:
    document = quote()
    assert [api.buy(document, BUYER).status for _ in range(11)] == [201] * 10 + [429]
    assert api.buy(document, STRANGER).status == 201
    assert Purchase.objects.count() == 11


def test_strangers_do_not_take_all_of_a_buyers_instructions(api: Api) -> None:
    home, theirs = Api("198.51.100.7"), [api.buy(quote(), BUYER) for _ in range(10)]
    mine = [home.buy(quote(), BUYER) for _ in range(6)]
    assert [said.status for said in mine] == [201] * 5 + [429]
    assert api.buy(quote(), BUYER).status == 429
    assert Purchase.objects.filter(open_slot__isnull=False).count() == 10
    for said in (theirs[0], mine[0]):  # Without a slot, and with one.
        assert home.authorize(said.body, BUYER).status == 202


def test_signed_instruction_is_not_open_any_more(api: Api) -> None:
    said = [api.buy(quote(), BUYER) for _ in range(10)]
    api.authorize(said[0].body, BUYER)
    assert api.buy(quote(), BUYER).status == 201


def test_open_instructions_of_a_client_network_are_limited(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instructing, "OPEN_PER_NETWORK", 3)
    buyers = [person(f"neighbour {number}") for number in range(4)]
    assert [api.buy(quote(), buyer).status for buyer in buyers] == [201, 201, 201, 429]
    assert Api("198.51.100.7").buy(quote(), buyers[3]).status == 201


def test_attempts_that_make_no_row_are_limited(
    api: Api, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instructing, "ATTEMPTS_PER_NETWORK_MINUTE", 2)
    shop.rail.away = True
    assert [api.buy(quote(), BUYER).status for _ in range(2)] == [503, 503]
    shop.rail.away = False
    said = api.buy(quote(), BUYER)
    assert (said.status, said.problem) == (429, "too-many-requests")
    assert int(said.headers["Retry-After"]) > 0
    assert Api("198.51.100.7").buy(quote(), BUYER).status == 201


def test_body_over_the_cap_is_refused_unread(api: Api) -> None:
    said = api.post("purchases", b"{" + b" " * 70_000 + b"}")
    assert (said.status, said.problem) == (413, "body-too-large")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_other_media_types_are_refused(api: Api, content_type: str) -> None:
    said = api.post("purchases", b"{}", content_type=content_type)
    assert (said.status, said.problem) == (415, "unsupported-media-type")


def test_other_methods_are_refused(api: Api) -> None:
    assert (said := api.get(f"purchases/{'0' * 64}/authorization")).status == 405
    assert said.problem == "method-not-allowed"


class TestIdempotencyKey:
    def test_same_key_and_body_get_the_same_answer_and_one_purchase(self, api: Api) -> None:
        body = {"quote": quote(), "buyer": BUYER.address}
        first, again = (api.post("purchases", body, idempotency_key="k-1") for _ in range(2))
        assert (first.status, again.status) == (201, 201)
        assert first.body == again.body
        assert Purchase.objects.count() == 1

    def test_same_key_with_another_body_is_refused(self, api: Api) -> None:
        body = {"quote": quote(), "buyer": BUYER.address}
        api.post("purchases", body, idempotency_key="k-1")
        other = {**body, "quote": quote(access_seconds=60)}
        said = api.post("purchases", other, idempotency_key="k-1")
        assert (said.status, said.problem) == (422, "idempotency-key-reused")
        assert Purchase.objects.count() == 1

    def test_key_belongs_to_its_buyer(self, api: Api) -> None:
        document = quote()
        for buyer in (BUYER, STRANGER):
            body = {"quote": document, "buyer": buyer.address}
            assert api.post("purchases", body, idempotency_key="k-1").status == 201
        assert Purchase.objects.count() == 2

    def test_request_in_flight_is_a_conflict(self, api: Api, shop: Shop) -> None:
        body = {"quote": quote(), "buyer": BUYER.address}
        inner: list[int] = []
        instruct = shop.rail.instruct

        def ask_again(*args: Any, **kwargs: Any) -> Any:
            inner.append(api.post("purchases", body, idempotency_key="k-1").status)
            return instruct(*args, **kwargs)

        shop.rail.instruct = ask_again  # type: ignore[method-assign] # a slow rail
        assert api.post("purchases", body, idempotency_key="k-1").status == 201
        assert inner == [409]
        assert Purchase.objects.count() == 1

    def test_refusal_is_not_remembered(self, api: Api, shop: Shop) -> None:
        body = {"quote": quote(), "buyer": BUYER.address}
        shop.rail.away = True
        assert api.post("purchases", body, idempotency_key="k-1").status == 503
        assert not IdempotentRequest.objects.exists()
        shop.rail.away = False
        assert api.post("purchases", body, idempotency_key="k-1").status == 201

    def test_answer_is_forgotten_after_a_day(self, api: Api) -> None:
        body = {"quote": quote(), "buyer": BUYER.address}
        first = api.post("purchases", body, idempotency_key="k-1")
        IdempotentRequest.objects.update(claimed_at_s=time.time() - 86_401)
        assert api.post("purchases", body, idempotency_key="k-1").body["id"] != first.body["id"]

    @pytest.mark.parametrize("key", ["", "x" * 256, "é"])
    def test_key_that_is_none_is_refused(self, api: Api, key: str) -> None:
        body = {"quote": quote(), "buyer": BUYER.address}
        assert api.post("purchases", body, idempotency_key=key).status == 400
        assert not Purchase.objects.exists()


class TestAuthorization:
    def test_valid_signature_is_accepted(self, api: Api) -> None:
        instruction = api.buy(quote(), BUYER).body
        said = api.authorize(instruction, BUYER)
        assert (said.status, said.body) == (
            202,
            {"id": instruction["id"], "status": "authorized"},
        )

    def test_same_again_answers_the_same_purchase(self, api: Api) -> None:
        instruction = api.buy(quote(), BUYER).body
        entries = AuditEntry.objects.count()
        assert [api.authorize(instruction, BUYER).status for _ in range(3)] == [202] * 3
        assert AuditEntry.objects.count() == entries + 1

    @pytest.mark.parametrize(
        "change",
        [
            {"signature": base64.b64encode(bytes(64)).decode()},
            {"signature": base64.b64encode(bytes(63)).decode()},
            {"signature": "*"},
            {"signer": STRANGER.address},
        ],
    )
    def test_invalid_signature_stores_nothing(self, api: Api, change: dict[str, str]) -> None:
        instruction = api.buy(quote(), BUYER).body
        before = Purchase.objects.values().get()
        body = {**BUYER.authorization(instruction), **change}
        said = api.post(f"purchases/{instruction['id']}/authorization", body)
        assert (said.status, said.problem) == (422, "authorization-invalid")
        assert Purchase.objects.values().get() == before

    def test_signature_of_another_purchase_is_invalid(self, api: Api) -> None:
        one, other = (api.buy(quote(), BUYER).body for _ in range(2))
        body = BUYER.authorization(other)
        assert api.post(f"purchases/{one['id']}/authorization", body).status == 422

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"signer": BUYER.address},
            {"signature": "AA"},
            {"signer": BUYER.address, "signature": "AA", "entry_xdr": "AA"},
            {"signer": BUYER.address, "signature": 7},
            {"xdr": "AA"},
            {"entry_xdr": None},
        ],
    )
    def test_body_that_holds_no_one_authorization_is_refused(
        self, api: Api, body: dict[str, Any]
    ) -> None:
        instruction = api.buy(quote(), BUYER).body
        said = api.post(f"purchases/{instruction['id']}/authorization", body)
        assert (said.status, said.problem) == (400, "invalid-request")

    def test_expired_purchase_takes_none(self, api: Api) -> None:
        instruction = api.buy(quote(), BUYER).body
        Purchase.objects.update(state="expired", open_slot=None)
        said = api.authorize(instruction, BUYER)
        assert (said.status, said.problem) == (409, "purchase-ended")

    def test_rejected_purchase_says_why(self, api: Api) -> None:
        instruction = api.buy(quote(), BUYER).body
        Purchase.objects.update(
            state="rejected", open_slot=None, problem="no-trustline", problem_detail="Add it."
        )
        problem = api.get(f"purchases/{instruction['id']}").body["problem"]
        assert problem["type"].endswith("/problems/no-trustline")
        assert problem["detail"] == "Add it."


@pytest.mark.parametrize("purchase_id", ["ab" * 32, "x", "AB" * 32, "ab" * 31, "ab" * 33])
@pytest.mark.parametrize("tail", ["", "/authorization", "/sep7"])
def test_unknown_purchase_is_not_found(api: Api, purchase_id: str, tail: str) -> None:
    path = f"purchases/{purchase_id}{tail}"
    form = {"content_type": "application/x-www-form-urlencoded"} if tail == "/sep7" else {}
    said = api.post(path, "xdr=AA" if form else {}, **form) if tail else api.get(path)
    assert (said.status, said.problem) == (404, "not-found")


class TestFreeQuote:
    def test_signature_is_all_that_is_asked(self, api: Api, shop: Shop) -> None:
        instruction = api.buy(quote(**FREE), BUYER).body
        of_the_chain = ("preimage_xdr", "entry_xdr", "valid_until_ledger", "latest_ledger")
        assert [instruction[name] for name in (*of_the_chain, "transaction")] == [None] * 5
        assert api.authorize(instruction, BUYER).status == 202
        worked()
        said = api.get(f"purchases/{instruction['id']}")
        granted = said.body
        assert granted["status"] == "granted"
        assert "Payment-Receipt" not in said.headers
        claims = tokens.jws.parse(granted["granted_access_token"]).payload
        assert claims["pay"] is None
        assert shop.rail.sent == []

    def test_wallet_signs_it_as_a_message(self, api: Api) -> None:
        instruction = api.buy(quote(**FREE), BUYER).body
        path = f"purchases/{instruction['id']}/authorization"
        for to_sign, status in (("00" * 32, 422), (instruction["authorization_to_sign"], 202)):
            text = f"Free access: nothing is paid.\napicharge-free-v1 {to_sign}"
            digest = hashlib.sha256(f"Stellar Signed Message:\n{text}".encode()).digest()
            signature = base64.b64encode(BUYER.sign(digest)).decode()
            said = api.post(path, {"signer": BUYER.address, "signature": signature})
            assert said.status == status

    def test_sixth_of_a_buyer_in_a_day_is_refused(self, api: Api) -> None:
        for _ in range(5):
            api.authorize(api.buy(quote(**FREE), BUYER).body, BUYER)
        assert (said := api.buy(quote(**FREE), BUYER)).status == 429
        assert "Retry-After" in said.headers
        assert Purchase.objects.count() == 5

    def test_limit_counts_when_it_is_signed_too(self, api: Api) -> None:
        open_ = [api.buy(quote(**FREE), BUYER).body for _ in range(6)]
        assert [api.authorize(one, BUYER).status for one in open_] == [202] * 5 + [429]

    def test_unsigned_one_expires_with_its_quote(self, api: Api, shop: Shop) -> None:
        instruction = api.buy(quote(**FREE), BUYER).body
        shop.rail.closed_at_s += 700
        shop.turn()
        assert api.get(f"purchases/{instruction['id']}").body["status"] == "expired"

    def test_signed_after_its_quote_expired_it_grants_nothing(self, api: Api) -> None:
        instruction = api.buy(quote(**FREE), BUYER).body
        Purchase.objects.update(expires_at_s=int(time.time()) - 1)
        said = api.authorize(instruction, BUYER)
        assert (said.status, said.problem) == (409, "purchase-ended")
        assert state_of(Purchase.objects.get()) == "instructed"


def test_recover_of_what_was_never_paid_is_refused(api: Api) -> None:
    said = api.post(f"purchases/{'ab' * 32}/recover", {"quote": quote()})
    assert (said.status, said.problem) == (422, "payment-not-found")
    assert not Purchase.objects.exists()


def test_whoever_shows_the_quote_gets_the_grant_of_a_lost_row(api: Api, shop: Shop) -> None:
    document = quote()
    instruction = api.buy(document, BUYER).body
    lost = Purchase.objects.get()
    payment = shop.rail.pay(terms_of(lost))
    lost.delete()
    said = api.post(f"purchases/{instruction['id']}/recover", {"quote": document})
    assert (said.status, said.body["status"]) == (200, "granted")
    told = json.loads(tokens.jws.decode(said.headers["Payment-Receipt"]))
    assert (told["status"], told["method"]) == ("success", "fake")
    assert told["reference"] == said.body["transaction"]
    assert "private" in said.headers["Cache-Control"]
    claims = tokens.jws.parse(said.body["granted_access_token"]).payload
    assert claims["iat"] == claims["nbf"] == payment.closed_at_s
    assert claims["jti"] == instruction["id"]
    again = api.post(f"purchases/{instruction['id']}/recover", {"quote": document})
    assert again.body == said.body
    assert GrantedToken.objects.count() == 1


def test_former_quote_key_grants_what_was_paid_and_sells_nothing_new(
    api: Api, shop: Shop, settings: Any
) -> None:
    document, free = quote(), quote(**FREE)
    instruction = api.buy(document, BUYER).body
    shop.rail.pay(terms_of(Purchase.objects.get()))
    Purchase.objects.all().delete()
    former = quoting.signer_public_key()
    settings.QUOTE_KEY_SEED = Secret("07" * 32)
    path = f"purchases/{instruction['id']}/recover"
    assert api.post(path, {"quote": document}).problem == "quote-invalid"
    settings.FORMER_QUOTE_KEYS = (former,)
    assert api.post(path, {"quote": document}).body["status"] == "granted"
    assert api.buy(document, BUYER).problem == "quote-invalid"
    assert api.buy(free, BUYER).problem == "quote-invalid"


def test_searches_of_the_chain_are_limited(
    api: Api, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovering, "SEARCHES_PER_NETWORK_MINUTE", 2)
    document = quote()
    path = f"purchases/{'ab' * 32}/recover"
    said = [api.post(path, {"quote": document}).status for _ in range(3)]
    assert said == [422, 422, 429]
    purchase_id = api.buy(document, BUYER).body["id"]
    shop.rail.pay(terms_of(Purchase.objects.get()))
    shop.turn()
    paid = api.post(f"purchases/{purchase_id}/recover", {"quote": document})
    assert paid.status == 200  # Nothing had to be searched for.


def test_id_of_a_lost_row_is_the_first_payers(api: Api, shop: Shop) -> None:
    document, other = quote(), quote(amount=1)
    instruction = api.buy(document, BUYER).body
    lost = Purchase.objects.get()
    shop.rail.pay(terms_of(lost))
    squatted = replace(terms_of(lost), buyer=STRANGER.address, amount=1, digest=other["digest"])
    lost.delete()
    shop.rail.pay(squatted)
    shop.turn()
    path = f"purchases/{instruction['id']}/recover"
    assert api.post(path, {"quote": other}).problem == "payment-not-found"
    assert not Purchase.objects.exists()
    said = api.post(path, {"quote": document})
    claims = tokens.jws.parse(said.body["granted_access_token"]).payload
    assert (said.body["status"], claims["sub"]) == ("granted", BUYER.address)


def test_recover_with_another_quote_gets_nothing(api: Api, shop: Shop) -> None:
    instruction = api.buy(quote(), BUYER).body
    purchase = Purchase.objects.get()
    shop.rail.pay(terms_of(purchase))
    other = quote(amount=1, name="cheap")
    said = api.post(f"purchases/{instruction['id']}/recover", {"quote": other})
    assert (said.status, said.problem) == (422, "payment-not-found")
    assert state_of(purchase) == "instructed"


def test_granted_purchase_is_shown_for_its_own_quote_only(api: Api, shop: Shop) -> None:
    document = quote()
    purchase_id = api.buy(document, BUYER).body["id"]
    shop.rail.pay(terms_of(Purchase.objects.get()))
    path = f"purchases/{purchase_id}/recover"
    assert api.post(path, {"quote": document}).status == 200
    other = api.post(path, {"quote": quote(amount=1, name="cheap")})
    assert (other.status, other.problem) == (422, "payment-not-found")


def test_cheap_quote_paid_under_an_expensive_id_grants_nothing(api: Api, shop: Shop) -> None:
    expensive, cheap = quote(amount=9_000_000), quote(amount=1)
    instruction = api.buy(expensive, BUYER).body
    purchase = Purchase.objects.get()
    shop.rail.pay(replace(terms_of(purchase), amount=1, digest=cheap["digest"]))
    shop.turn()
    for document in (expensive, cheap):
        said = api.post(f"purchases/{instruction['id']}/recover", {"quote": document})
        assert said.status == 422
    assert state_of(purchase) == "instructed"
    assert not GrantedToken.objects.exists()
