"""The grant that a quote, a buyer and a moment make. The same three always make the same grant.

`jti` is the purchase id and `iat` = `nbf` is when it was paid (the paying ledger's close time; for
a free quote, when it was authorized), so a grant that is recovered years later from the chain ends
when it always would have.
"""

from dataclasses import dataclass

from gateway.domain.limits import parse_limits
from gateway.domain.tokens import Charge, Grant, Starts
from marketplace.domain.quotes import SignedQuote

# `starts: first_use`: how long a bought grant may lie unused. The quote does not say, so it is one
# constant, and long.
START_WITHIN_SECONDS = 365 * 86_400


@dataclass(frozen=True, slots=True)
class Sale:
    purchase_id: str
    buyer: str
    access_key: bytes
    at_s: int
    pay: dict[str, object] | None


def grant_for(quote: SignedQuote, sale: Sale, *, issuer: str) -> Grant:
    starts = Starts(quote.starts)
    waits_s = START_WITHIN_SECONDS if starts is Starts.FIRST_USE else 0
    return Grant(
        issuer=issuer,
        audience=issuer,
        buyer=sale.buyer,
        id=sale.purchase_id,
        issued_at=sale.at_s,
        not_before=sale.at_s,
        expires_at=sale.at_s + waits_s + quote.access_seconds,
        route=quote.route,
        limits=parse_limits([dict(limit) for limit in quote.limits]),
        starts=starts,
        access_seconds=quote.access_seconds if starts is Starts.FIRST_USE else None,
        charge=Charge(quote.charge),
        adjustable=quote.adjustable,
        meter=None if quote.meter is None else dict(quote.meter),
        quote=quote.digest,
        pay=sale.pay,
        access_key=sale.access_key,
    )
