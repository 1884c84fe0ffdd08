"""Books are taken away whole, in bounded files, by those who may read them."""

import asyncio
import csv
import hashlib
import io
import json
from collections.abc import Iterator

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import AsyncClient

from billing import conf, exporting
from billing.models import AuditEntry, GrantedToken, Payment, Purchase, Refund
from billing.orders import terms_of
from marketplace.models import Provider
from tests.billing.working import Shop
from tests.fakes.rail import FakeRail
from tests.marketplace import shop as catalogue

SOLD = 5
DAY_S = 86_400


@pytest.fixture
def books(db: None) -> Iterator[None]:
    shop = Shop(FakeRail())
    with conf.paying_by(shop.rail):
        shop.open()
        for number in range(SOLD):
            shop.rail.pay(terms_of(shop.instruct()), tx_hash=f"{number:064x}")
        shop.turn()
        assert GrantedToken.objects.count() == SOLD
        for row in Purchase.objects.all():
            refund(row)
        yield


def refund(purchase: Purchase, provider: Provider | None = None, **changes: object) -> None:
    row = {
        "id": hashlib.sha256(purchase.pk.encode()).hexdigest(),
        "network": purchase.network,
        "payer": purchase.payee,
        "receiver": purchase.buyer,
        "asset": purchase.asset,
        "asset_code": purchase.asset_code,
        "amount": purchase.amount,
        "tx_hash": purchase.pk,
        "state": "expired",
        **dict.fromkeys(("moved_at_s", "created_at_s", "last_moment_s", "built_at_ledger"), 1),
    }
    Refund.objects.create(purchase=purchase, provider=provider, **(row | changes))


def fetch(path: str, **is_: bool) -> tuple[int, str, dict[str, str]]:
    user, _ = User.objects.get_or_create(username="somebody", is_staff=True, **is_)
    client = AsyncClient()

    async def ask() -> tuple[int, str, dict[str, str]]:
        await client.aforce_login(user)
        said = await client.get(f"/admin/billing/{path}")
        pieces = [piece async for piece in said] if said.streaming else [said.content]
        return said.status_code, b"".join(pieces).decode(), dict(said.headers)

    return async_to_sync(ask)()


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.mark.parametrize(
    ("path", "key", "count"),
    [
        ("payment", "id", SOLD),
        ("grantedtoken", "purchase_id", SOLD),
        ("refund", "id", SOLD),
        ("auditentry", "number", 0),
    ],
)
def test_both_formats_hold_every_row(books: None, path: str, key: str, count: int) -> None:
    count = count or AuditEntry.objects.count() + 1  # The export itself is audited.
    status, text, headers = fetch(f"{path}/export.csv", is_superuser=True)
    assert (status, len(rows(text))) == (200, count)
    assert headers["Content-Type"].startswith("text/csv")
    _, told, headers = fetch(f"{path}/export.json", is_superuser=True)
    assert headers["Content-Type"] == "application/json"
    assert [str(row[key]) for row in json.loads(told)][:count] == [row[key] for row in rows(text)]


def test_what_a_stranger_wrote_is_no_formula(books: None) -> None:
    Payment.objects.filter(tx_hash=f"{0:064x}").update(differs_in="=cmd|' /C calc'!A0")
    _, text, _ = fetch("payment/export.csv", is_superuser=True)
    assert rows(text)[0]["differs_in"] == "'=cmd|' /C calc'!A0"


def test_no_token_is_exported(books: None) -> None:
    for path in ("grantedtoken/export.csv", "auditentry/export.json"):
        _, text, _ = fetch(path, is_superuser=True)
        assert GrantedToken.objects.all()[0].token.split(".")[2] not in text


def test_file_is_bounded_and_leads_to_the_next(
    books: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "ROWS_PER_FILE", 3)
    monkeypatch.setattr(exporting, "ROWS_PER_PAGE", 2)
    _, first, headers = fetch("payment/export.csv", is_superuser=True)
    address, _, relation = headers["Link"].partition("; ")
    assert relation == 'rel="next"'
    _, second, headers = fetch(address.strip("<>").partition("/billing/")[2], is_superuser=True)
    assert "Link" not in headers
    assert [len(rows(text)) for text in (first, second)] == [3, SOLD - 3]
    told = [row["tx_hash"] for text in (first, second) for row in rows(text)]
    assert told == list(Payment.objects.order_by("pk").values_list("tx_hash", flat=True))


def test_span_of_time_is_kept_to(books: None) -> None:
    later = Payment.objects.order_by("pk")[2:]
    Payment.objects.filter(pk__in=[row.pk for row in later]).update(closed_at_s=1_700_000_000)
    _, text, _ = fetch("payment/export.csv?since=2023-11-14&until=2023-11-15", is_superuser=True)
    assert len(rows(text)) == SOLD - 2
    status, _, _ = fetch("payment/export.csv?since=yesterday", is_superuser=True)
    assert status == 400


def test_provider_exports_its_own_refunds_and_nobody_elses(books: None) -> None:
    provider = catalogue.provider("somebody")
    User.objects.filter(pk=provider.owner_id).update(username="somebody", is_staff=True)
    first = Purchase.objects.order_by("pk")[0]
    Refund.objects.filter(purchase=first).delete()
    refund(first, provider, reason="@SUM(1)")
    status, text, _ = fetch("refund/export.csv")
    assert (status, len(rows(text))) == (200, 1)
    assert (rows(text)[0]["purchase_id"], rows(text)[0]["reason"]) == (first.pk, "'@SUM(1)")


def test_refunds_go_on_after_the_last_of_the_file_before(
    books: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "ROWS_PER_FILE", 2)
    _, _, headers = fetch("refund/export.csv", is_superuser=True)
    address = headers["Link"].partition("; ")[0].strip("<>").partition("/billing/")[2]
    assert len(rows(fetch(address, is_superuser=True)[1])) == 2
    assert fetch("payment/export.csv?after=zz", is_superuser=True)[0] == 400


@pytest.mark.parametrize("path", ["payment", "grantedtoken", "refund", "auditentry"])
def test_provider_and_stranger_export_nothing(books: None, path: str) -> None:
    assert fetch(f"{path}/export.csv")[0] == 403
    stranger = asyncio.run(AsyncClient().get(f"/admin/billing/{path}/export.csv"))
    assert stranger.status_code == 302


def test_command_writes_all_of_a_book(books: None, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("export", "payments", "--until", "2100-01-01")
    assert len(rows(capsys.readouterr().out)) == SOLD
    call_command("export", "audit", "--format", "json")
    assert len(json.loads(capsys.readouterr().out)) == AuditEntry.objects.count()
