"""A purchase's own page in each of its states, for whoever has the address and nobody else."""

import base64
import re
import time

import pytest
from django.test import Client
from pytest_django.fixtures import DjangoAssertNumQueries

from billing import advancing
from billing.domain.purchases import Event
from billing.models import Purchase
from billing.moving import move
from billing.pages import addresses
from billing.rails.port import Refusal, Refused
from tests.billing.pages.conftest import Till
from tests.billing.working import BUYER


def shown(purchase: Purchase, part: str = "purchase") -> str:
    answer = Client().get(addresses.path(purchase.pk, part))
    assert answer.status_code == 200
    assert "no-store" in answer.headers["Cache-Control"]
    return re.sub(r"\s+", " ", answer.content.decode())


def signature(purchase: Purchase) -> str:
    return base64.b64encode(BUYER.sign(bytes.fromhex(purchase.signing_hash))).decode()


def test_page_needs_the_secret_of_its_address(till: Till) -> None:
    purchase = till.begin()
    address = addresses.path(purchase.pk)
    other = addresses.path("ab" * 32).split("/")[3]
    for secret in ("x" * 22, other, ""):
        assert Client().get(f"/purchases/{purchase.pk}/{secret}/").status_code == 404
    assert Client().get(address.upper()).status_code == 404
    assert Client().get(addresses.path("ab" * 32)).status_code == 404


def test_page_shows_what_to_sign_and_every_way_to_do_it(
    till: Till, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    purchase = till.begin()
    with django_assert_max_num_queries(10):
        page = shown(purchase)
    for part in (purchase.signing_hash, purchase.preimage, "Open in a wallet", "apicharge sign"):
        assert part in page
    assert 'data-way="freighter"' in page
    assert "<svg" in page
    assert 'http-equiv="refresh"' not in page


def test_pasted_signature_pays_without_a_script(till: Till) -> None:
    purchase = till.begin()
    sign = addresses.path(purchase.pk, "sign")
    answer = Client().post(sign, {"signature": signature(purchase)})
    assert answer.status_code == 302
    assert answer.headers["Location"] == addresses.path(purchase.pk)
    page = shown(purchase)
    assert "Your payment is on its way" in page
    assert 'http-equiv="refresh" content="3"' in page
    assert Client().get(sign).status_code == 302


@pytest.mark.parametrize("wrong", ["", "no base64!", base64.b64encode(b"x" * 64).decode()])
def test_wrong_signature_is_said_and_may_be_mended(till: Till, wrong: str) -> None:
    purchase = till.begin()
    answer = Client().post(addresses.path(purchase.pk, "sign"), {"signature": wrong})
    assert answer.status_code == 422
    assert "This signature does not fit" in answer.content.decode()
    assert "Send the signature" in answer.content.decode()


def test_second_signature_is_told_not_to_pay_again(till: Till) -> None:
    purchase = till.begin()
    till.shop.authorize(purchase)
    Purchase.objects.filter(pk=purchase.pk).update(authorization="another")
    answer = Client().post(addresses.path(purchase.pk, "sign"), {"signature": signature(purchase)})
    assert answer.status_code == 409
    assert "Do not pay again" in answer.content.decode()


def test_submitted_and_unknown_never_says_pay_again(till: Till) -> None:
    purchase = till.begin()
    till.rail.loses = True
    till.shop.authorize(purchase)
    till.shop.turn()
    till.rail.away = True
    purchase.refresh_from_db()
    assert purchase.state == "submitted"
    page = shown(purchase)
    assert "do not pay again" in page
    assert "Start again with a new quote" not in page
    assert "Send the signature" not in page


def test_granted_page_has_the_grant_and_a_snippet(
    till: Till, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    purchase = till.paid()
    with django_assert_max_num_queries(10):
        page = shown(purchase)
    assert purchase.granted.token in page
    assert f"Paid in ledger {purchase.paid_ledger:,}" in page
    assert 'http-equiv="refresh"' not in page
    assert "accessToken" in page


def test_rejected_purchase_says_why_and_leads_on(till: Till) -> None:
    purchase = till.begin()
    till.rail.refuses = Refused(Refusal.FINAL, "insufficient-balance", "Only 0.10 USDC is left.")
    till.shop.authorize(purchase)
    till.shop.turn()
    page = shown(purchase)
    assert "This account does not hold enough" in page
    assert "Only 0.10 USDC is left." in page
    assert "/checkout/weather/forecast/?plan=Hour+pass" in page


def test_lapsed_purchase_says_that_nothing_was_taken(till: Till) -> None:
    purchase = till.begin()
    assert advancing.lapse(purchase.pk, now_s=time.time())
    page = shown(purchase)
    assert "This purchase ran out before it was paid" in page
    assert "Start again with a new quote" in page


def test_quote_that_ran_out_before_it_was_signed_asks_for_a_new_one(till: Till) -> None:
    purchase = till.begin()
    Purchase.objects.filter(pk=purchase.pk).update(expires_at_s=int(time.time()) - 5)
    page = shown(purchase)
    assert "That quote has run out" in page
    assert "Send the signature" not in page


def test_evidence_after_the_end_turns_the_page_to_granted(till: Till) -> None:
    purchase = till.begin()
    advancing.lapse(purchase.pk, now_s=time.time())
    paid = {"paid_tx_hash": "ab" * 32, "paid_ledger": 7, "paid_at_s": int(time.time())}
    assert move(purchase.pk, Event.PAY, now_s=time.time(), changes=paid)
    assert "Paid in ledger 7" in shown(purchase)


def test_instruction_has_all_that_a_program_compares(till: Till) -> None:
    purchase = till.begin()
    answer = Client().get(addresses.path(purchase.pk, "instruction"))
    told = answer.json()
    assert told["buyer"] == BUYER.address
    assert told["quote"]["digest"] == purchase.digest
    assert told["instruction"]["authorization_to_sign"] == purchase.signing_hash
