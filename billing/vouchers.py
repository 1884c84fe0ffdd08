"""Vouchers: issued by a provider, redeemed by whoever has the code into a real free grant.

A redemption is a purchase of the price's version with the amount 0, authorized as any free one, by
the buyer's signature. Its quote is signed for it alone: `instructing` takes it from nobody else.
"""

import secrets
from collections.abc import Sequence

from django.db import IntegrityError, transaction
from django.db.models import F

from billing import auditing, instructing
from billing.domain import vouchers
from billing.domain.errors import Conflict, NotFound
from billing.domain.purchases import State
from billing.instructing import Wish
from billing.models import Purchase, Redemption, Voucher
from marketplace import quoting
from marketplace.models import Provider, RouteQuote

CODES_MAX = 100
USES_MAX = 100_000
GUESSES_PER_NETWORK_MINUTE = 10
GIVEN_BACK_AT_ONCE = 500
UNKNOWN = "There is no voucher with this code, or it is used up or over."


def issue(  # noqa: PLR0913 - what a provider decides
    price: RouteQuote, *, count: int, uses: int, until_s: int, note: str, actor: str, now_s: float
) -> Sequence[tuple[str, Voucher]]:
    """The codes, which nobody can read again, and their rows."""
    if not 1 <= count <= CODES_MAX or not 1 <= uses <= USES_MAX or until_s <= now_s:
        raise ValueError("so many codes, for so many, until then cannot be issued")
    made = []
    with transaction.atomic():
        for _ in range(count):
            code = vouchers.code(secrets.token_bytes(vouchers.CODE_BYTES))
            voucher = Voucher.objects.create(
                provider=price.route.service.provider,
                price=price,
                digest=vouchers.digest(vouchers.plain(code) or ""),
                hint=code[: vouchers.GROUP],
                uses_max=uses,
                until_s=until_s,
                note=note,
                created_at_s=int(now_s),
            )
            made.append((code, voucher))
        _audit("issue", made[0][1], actor, now_s, count=count, uses=uses, until_s=until_s)
    return made


def redeem(
    code: str, buyer: str, access_key: bytes, client_network: str, *, now_s: float
) -> Purchase:
    """An instructed purchase, for its buyer to sign."""
    instructing.check_often("voucher", client_network, GUESSES_PER_NETWORK_MINUTE, now_s=now_s)
    letters = vouchers.plain(code)
    voucher = find(letters, now_s=now_s) if letters else None
    if voucher is None:
        raise NotFound(UNKNOWN)
    return use(voucher, buyer, access_key, client_network, now_s=now_s)


def use(
    voucher: Voucher, buyer: str, access_key: bytes, client_network: str, *, now_s: float
) -> Purchase:
    quote = quoting.sign_gift(voucher.price, now_s)
    wish = Wish(quote, buyer, access_key, client_network)
    try:
        with transaction.atomic():
            rows = Voucher.objects.filter(pk=voucher.pk, uses__lt=F("uses_max"), ended_at_s=None)
            if not rows.update(uses=F("uses") + 1):
                raise NotFound(UNKNOWN)
            purchase = instructing.instruct(wish, now_s=now_s)
            Redemption.objects.create(
                voucher=voucher, purchase=purchase, buyer=buyer, redeemed_at_s=int(now_s)
            )
            _audit("redeem", voucher, buyer, now_s, purchase=purchase.pk)
    except IntegrityError as exc:
        raise Conflict("Each account redeems a voucher once.") from exc
    return purchase


def find(letters: str, *, now_s: float) -> Voucher | None:
    known = Voucher.objects.select_related("price__route__service__provider")
    return known.filter(
        digest=vouchers.digest(letters),
        uses__lt=F("uses_max"),
        until_s__gt=int(now_s),
        ended_at_s=None,
        price__route__removed_at=None,
    ).first()


def end(voucher: Voucher, *, actor: str, now_s: float) -> bool:
    """What was redeemed runs on. False when it was over."""
    with transaction.atomic():
        open_ = Voucher.objects.filter(pk=voucher.pk, ended_at_s=None)
        ended = open_.update(ended_at_s=int(now_s)) == 1
        if ended:
            _audit("end", voucher, actor, now_s)
    return ended


def give_back(*, now_s: float) -> int:
    """Uses that nobody signed for are there for somebody else."""
    unsigned = Redemption.objects.filter(
        purchase__state=State.EXPIRED, purchase__authorized_at_s=None
    ).select_related("voucher")
    given = 0
    for redemption in unsigned[:GIVEN_BACK_AT_ONCE]:
        with transaction.atomic():
            gone, _ = Redemption.objects.filter(pk=redemption.pk).delete()
            if gone:
                Voucher.objects.filter(pk=redemption.voucher_id).update(uses=F("uses") - 1)
                _audit("give_back", redemption.voucher, auditing.WORKER, now_s)
                given += 1
    return given


def of(provider: Provider) -> list[RouteQuote]:
    """What can be given away: versions on sale, of routes that stand."""
    prices = RouteQuote.objects.filter(
        route__service__provider=provider,
        route__removed_at=None,
        amount__gt=0,
        state=RouteQuote.State.PUBLISHED,
    )
    return list(prices.select_related("route__service"))


def _audit(act: str, voucher: Voucher, actor: str, now_s: float, **detail: str | int) -> None:
    auditing.record(
        action=f"voucher.{act}",
        subject=str(voucher.pk),
        now_s=now_s,
        actor=actor,
        detail=detail,
    )
