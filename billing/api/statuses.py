"""A purchase as its status URL shows it, to anybody: the id is public, so nothing here is secret.

The granted access token is among it: it names the key that may use it, and is worthless without.
"""

import json
from datetime import UTC, datetime

from billing import conf
from billing.api import problems
from billing.domain.purchases import ENDS
from billing.domain.purchases import State as Stage
from billing.domain.refunds import State
from billing.models import ChainTransaction, GrantedToken, Purchase, Refund
from gateway.domain import jws


def status(purchase: Purchase) -> dict[str, object]:
    shown: dict[str, object] = {"id": purchase.pk, "status": purchase.state}
    if purchase.paid_tx_hash:
        shown |= {"transaction": purchase.paid_tx_hash, "ledger": purchase.paid_ledger}
    elif sent := _latest(purchase):
        shown |= {"transaction": sent.tx_hash}
        shown |= {"ledger": sent.ledger} if sent.ledger is not None else {}
    if purchase.state in ENDS:
        shown |= {"problem": problems.stored(purchase.problem, purchase.problem_detail)}
    granted = GrantedToken.objects.filter(purchase=purchase).first()
    if granted is not None:
        shown |= {"granted_access_token": granted.token}
    made = Refund.objects.filter(purchase=purchase, state=State.REFUNDED)
    if refunds := [_refund(row) for row in made]:
        shown |= {"refunds": refunds}
    return shown


def receipt(purchase: Purchase) -> dict[str, str]:
    """Headers for whoever reads no body: `Payment-Receipt`, as the HTTP payment scheme has it."""
    if purchase.state != Stage.GRANTED or purchase.paid_at_s is None:
        return {}
    paid = {
        "status": "success",
        "method": conf.rail().method,
        "timestamp": f"{datetime.fromtimestamp(purchase.paid_at_s, UTC):%Y-%m-%dT%H:%M:%SZ}",
        "reference": purchase.paid_tx_hash,
    }
    told = jws.encode(json.dumps(paid, separators=(",", ":")).encode())
    return {"Payment-Receipt": told, "Cache-Control": "private, no-store"}


def bought(purchase: Purchase) -> dict[str, object]:
    """The same, and what was bought, for the buyer's own list."""
    price = {"amount": str(purchase.amount), "asset": purchase.asset_code}
    sale = {"route": purchase.route, "price": price, "created_at": purchase.created_at_s}
    return {**status(purchase), **sale}


def _refund(row: Refund) -> dict[str, object]:
    told = {"amount": str(row.amount), "asset": row.asset_code}
    return {**told, "transaction": row.tx_hash, "ledger": row.ledger}


def _latest(purchase: Purchase) -> ChainTransaction | None:
    return purchase.transactions.order_by("-pk").first()
