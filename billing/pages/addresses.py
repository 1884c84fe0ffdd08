"""Where a purchase's own page is. Its id is public, so the address carries a secret of ours too.

Whoever has the address sees the purchase, on any device and without an account.
"""

from urllib.parse import urlencode

from django.urls import reverse
from django.utils.crypto import constant_time_compare, salted_hmac

from billing import conf
from gateway.domain import jws

SECRET_BYTES = 16


def secret(purchase_id: str) -> str:
    whole = salted_hmac("billing.pages.purchase", purchase_id, algorithm="sha256").digest()
    return jws.encode(whole[:SECRET_BYTES])


def is_secret(purchase_id: str, given: str) -> bool:
    return constant_time_compare(secret(purchase_id), given)


def path(purchase_id: str, part: str = "purchase", *, back: str = "") -> str:
    address = reverse(f"billing:{part}", args=[purchase_id, secret(purchase_id)])
    return f"{address}?{urlencode({'return': back})}" if back else address


def url(purchase_id: str, part: str = "purchase", *, back: str = "") -> str:
    return f"{conf.conf().origin}{path(purchase_id, part, back=back)}"


def socket_path(purchase_id: str) -> str:
    return f"/live/purchases/{purchase_id}/{secret(purchase_id)}/"


def checkout(route_id: str, plan: str = "", *, back: str = "") -> str:
    asked = {name: text for name, text in (("plan", plan), ("return", back)) if text}
    address = reverse("billing:checkout", args=route_id.split("/", 1))
    return f"{address}?{urlencode(asked)}" if asked else address
