"""Receipts: the page, the signed document, the PDF."""

import json
import logging
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import DjangoAssertNumQueries, Settings

from billing import keys, printing
from billing.models import Purchase
from billing.pages import addresses
from gateway.domain import ed25519, jws, tokens
from tests.billing.pages.conftest import Till
from tests.billing.working import BUYER


def get(purchase: Purchase, part: str) -> Any:
    return Client().get(addresses.path(purchase.pk, part))


def test_page_says_what_was_bought_and_links_to_the_explorer(
    till: Till, settings: Settings, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    settings.EXPLORER = "https://explorer.example/tx/{transaction}"
    purchase = till.paid()
    with django_assert_max_num_queries(10):
        page = get(purchase, "receipt").content.decode()
    for part in (purchase.pk, BUYER.address, purchase.payee, "0.25 USDC", "Hour pass, version 1"):
        assert part in page
    assert f'href="https://explorer.example/tx/{purchase.paid_tx_hash}"' in page


def test_there_is_no_receipt_for_what_was_not_granted(till: Till) -> None:
    purchase = till.begin()
    for part in ("receipt", "receipt-json", "receipt-pdf"):
        assert get(purchase, part).status_code == 404


def test_receipt_is_for_whoever_has_its_address(till: Till) -> None:
    purchase = till.paid()
    for part in ("receipt", "receipt-json", "receipt-pdf"):
        address = addresses.path(purchase.pk, part)
        wrong = address.replace(addresses.secret(purchase.pk), "x" * 22)
        assert Client().get(wrong).status_code == 404


def test_document_is_signed_by_a_published_key_and_is_no_token(till: Till) -> None:
    purchase = till.paid()
    answer = get(purchase, "receipt-json")
    told = json.loads(answer.content)
    frame = jws.parse(told["jws"])
    verifying = keys.verifying()
    key = verifying[str(frame.header["kid"])]
    assert ed25519.verify(key, frame.signing_input, frame.signature)
    assert frame.payload == told["receipt"]
    assert told["receipt"]["payment"]["transaction"] == purchase.paid_tx_hash
    assert isinstance(tokens.read(told["jws"], verifying), tokens.Refused)
    assert json.loads(get(purchase, "receipt-json").content) == told


def test_pdf_is_one_and_has_glyphs_for_the_names(
    till: Till, caplog: pytest.LogCaptureFixture
) -> None:
    purchase = till.paid()
    service = till.price.route.service
    service.name = "Погода Καιρός Żółć"
    service.save()
    with caplog.at_level(logging.WARNING):
        answer = get(purchase, "receipt-pdf")
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF-1.")
    assert answer.content.rstrip().endswith(b"%%EOF")
    assert "not found" not in caplog.text.lower()
    assert "missing" not in caplog.text.lower()


def test_more_fonts_are_asked_for_what_the_first_lacks(settings: Settings) -> None:
    settings.RECEIPT_FONTS = [printing.FONT]
    assert printing.pdf("Receipt", [("Name", "x")], foot="", at_s=0).startswith(b"%PDF")
