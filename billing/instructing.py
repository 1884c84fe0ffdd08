"""From a quote to a purchase instruction: checked, made on the rail, kept as a row.

Whoever asks has not shown that the buyer's account is theirs, so what can be asked for is limited:
a buyer's open instructions are counted by the database (a slot each), a client network's by us.
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from billing import auditing, conf, slots
from billing.advancing import followed_ledger
from billing.domain import freebies
from billing.domain.errors import (
    BillingError,
    QuoteExpired,
    QuoteInvalid,
    SalesStopped,
    TooMany,
    TooOften,
)
from billing.domain.purchases import State
from billing.models import OPEN_PER_BUYER, Purchase, Redemption
from billing.rails.port import Instruction, Order
from marketplace import quoting, suspending, throttling
from marketplace.domain import quotes
from marketplace.domain.quotes import QuoteError, SignedQuote

LEFT_SECONDS_MIN = 60
LEFT_LEDGERS_MIN = 60
RETRY_SECONDS = 60
# An office or a carrier behind one address, buying at once.
OPEN_PER_NETWORK = 250
# Each attempt asks the payment network a question or two, and a refused one leaves no row to count.
ATTEMPTS_PER_NETWORK_MINUTE = 600
# The 402 makes instructions for strangers: enough to be useful, too few to be a tool.
SIGNABLE_PER_NETWORK = 30


@dataclass(frozen=True, slots=True)
class Wish:
    quote: SignedQuote
    buyer: str
    access_key: bytes
    client_network: str
    is_offered: bool = False
    """Made for a 402, and given to whoever asks for the same."""


def instruct(wish: Wish, *, now_s: float) -> Purchase:
    """A new purchase, `instructed`. Raises what the buyer has to change."""
    quote = wish.quote
    if quote.expires_at < now_s + LEFT_SECONDS_MIN:
        raise QuoteExpired("The quote has less than 60 seconds left: get a new one.")
    _check_sold(quote)
    _check_open(wish, now_s=now_s)
    check_often("instruct", wish.client_network, ATTEMPTS_PER_NETWORK_MINUTE, now_s=now_s)
    order = Order(secrets.token_bytes(32), wish.buyer, wish.access_key, quote)
    if quote.amount == 0:
        _check_free(wish, now_s=now_s)
        return _keep(wish, order, _free_instruction(order), now_s=now_s)
    callback = f"{status_url(order.purchase_id.hex())}/sep7"
    instruction = conf.rail().instruct(order, callback=callback, now_s=now_s)
    return _keep(wish, order, instruction, now_s=now_s)


def signable(
    route_id: str, buyer: str, client_network: str, *, now_s: float
) -> dict[str, object] | None:
    """A ready instruction for the route's cheapest quote, or None: a 402 says nothing else then.

    The same buyer gets the same instruction while it is fresh, so asking again makes no rows.
    """
    if not conf.rail().is_account(buyer):
        return None
    offers = [quoting.signed(version, now_s) for version in quoting.on_sale(route_id)]
    if not offers:
        return None
    quote = min(offers, key=lambda offer: (offer.amount, offer.digest))
    wish = Wish(quote, buyer, conf.rail().account_key(buyer), client_network, is_offered=True)
    # Not one that somebody began on a page: that is his, and its address is known to him.
    offered = Purchase.objects.filter(is_offered=True, owner=None)
    if (fresh := begun(wish, offered, now_s=now_s)) is not None:
        return answer(fresh)
    if not throttling.allows(
        "signable",
        client_network,
        limit=SIGNABLE_PER_NETWORK,
        window_s=RETRY_SECONDS,
        now_s=now_s,
    ):
        return None
    try:
        return answer(instruct(wish, now_s=now_s))
    except BillingError:
        return None


def begun(wish: Wish, among: "QuerySet[Purchase]", *, now_s: float) -> Purchase | None:
    """The same wish's instruction, when one of `among` can still be signed.

    What a wish consists of is public, so it shows nothing of who made it.
    """
    same = among.filter(
        buyer=wish.buyer,
        digest=wish.quote.digest,
        state=State.INSTRUCTED,
        access_key=wish.access_key.hex(),
        expires_at_s__gte=int(now_s) + LEFT_SECONDS_MIN,
    )
    return same.filter(
        Q(valid_until=None) | Q(valid_until__gte=followed_ledger() + LEFT_LEDGERS_MIN)
    ).first()


def quote_from(document: object) -> SignedQuote:
    """A quote that a client shows, when it is one that we sign, and sell to anybody."""
    quote = _verified(document, [quoting.signer_public_key()])
    if quote.amount == 0 and _was_given_away(quote):
        raise QuoteInvalid("This free quote was made for one buyer.")
    return quote


def paid_quote_from(document: object) -> SignedQuote:
    """As `quote_from`, by a former key too.

    Only for what was paid: the contract took the payment, so it knew the key then. Nothing new is
    sold by such a quote, since a key may have been given up because it leaked.
    """
    return _verified(document, quoting.signer_public_keys())


def _verified(document: object, signers: Iterable[bytes]) -> SignedQuote:
    try:
        quote = quotes.from_json(document)
        quotes.verify(quote, signers, conf.conf().chain)
    except QuoteError as exc:
        raise QuoteInvalid(f"{exc}.") from exc
    return quote


def _was_given_away(quote: SignedQuote) -> bool:
    """By a voucher: it is good for the purchase that it was made for, and was never on sale."""
    given = Redemption.objects.filter(purchase__digest=quote.digest)
    return given.exists() and quoting.find(quote.digest) is None


def quote_with(digest: str) -> SignedQuote:
    quote = quoting.find(digest)
    if quote is None:
        raise QuoteInvalid("No quote of ours has this digest: get one from the quotes document.")
    return quote_from(quote.to_json())


def status_url(purchase_id: str) -> str:
    return f"{conf.conf().origin}/apicharge/v1/purchases/{purchase_id}"


def answer(purchase: Purchase) -> dict[str, object]:
    """The purchase instruction as protocol.md has it."""
    transaction_mode = {"xdr": purchase.transaction, "sep7": purchase.link}
    return {
        "id": purchase.pk,
        "status": State.INSTRUCTED.value,
        "status_url": status_url(purchase.pk),
        "expires_at": purchase.expires_at_s,
        "authorization_to_sign": purchase.signing_hash,
        "preimage_xdr": purchase.preimage or None,
        "entry_xdr": purchase.entry or None,
        "valid_until_ledger": purchase.valid_until,
        "latest_ledger": purchase.instructed_at_ledger,
        "transaction": transaction_mode if purchase.transaction else None,
    }


def check_often(act: str, client_network: str, limit: int, *, now_s: float) -> None:
    if not throttling.allows(act, client_network, limit=limit, window_s=RETRY_SECONDS, now_s=now_s):
        raise TooOften(
            f"A network may ask for this {limit} times a minute.", retry_after_s=RETRY_SECONDS
        )


def _check_sold(quote: SignedQuote) -> None:
    if suspending.is_stopped(quote.route):
        raise SalesStopped(f"Sales of {quote.route} are stopped. Grants that were bought run on.")


def _check_open(wish: Wish, *, now_s: float) -> None:
    """Before the network is asked. The database counts the slots again when it is kept."""
    if not slots.open_to(wish.buyer, wish.client_network):
        raise _too_many_open()
    open_ = Purchase.objects.filter(state=State.INSTRUCTED, expires_at_s__gte=int(now_s))
    if open_.filter(client_network=wish.client_network).count() >= OPEN_PER_NETWORK:
        raise TooMany(
            "There are too many open purchases from this network.", retry_after_s=RETRY_SECONDS
        )


def _check_free(wish: Wish, *, now_s: float) -> None:
    if problem := free_exceeded(wish.buyer, wish.client_network, now_s=now_s):
        raise TooMany(problem, retry_after_s=3600)


def free_exceeded(buyer: str, client_network: str, *, now_s: float) -> str | None:
    """Counted by authorizations, since only those prove who the buyer is."""
    since = Q(authorized_at_s__gt=int(now_s) - freebies.DAY_SECONDS)
    proven = Purchase.objects.filter(since, amount=0)
    return freebies.exceeded(
        by_buyer=proven.filter(buyer=buyer).count(),
        by_network=proven.filter(client_network=client_network).count(),
    )


def _free_instruction(order: Order) -> Instruction:
    digest = bytes.fromhex(order.quote.digest)
    signing_hash = freebies.signing_hash(order.purchase_id, digest, order.access_key)
    return Instruction(signing_hash, preimage="", entry="", valid_until=0, latest=0, transaction="")


def _keep(wish: Wish, order: Order, instruction: Instruction, *, now_s: float) -> Purchase:
    purchase = _row(wish, order, instruction, now_s=now_s)
    for slot in slots.open_to(wish.buyer, wish.client_network):
        purchase.open_slot = slot.number
        try:
            with transaction.atomic():
                slot.leave()
                purchase.save(force_insert=True)
                auditing.record(
                    action="purchase.instruct",
                    subject=purchase.pk,
                    now_s=now_s,
                    actor=wish.buyer,
                    detail={"digest": purchase.digest},
                )
        except IntegrityError:
            continue  # Another instruction took the slot.
        return purchase
    raise _too_many_open()


def _row(wish: Wish, order: Order, instruction: Instruction, *, now_s: float) -> Purchase:
    quote, free = order.quote, order.quote.amount == 0
    return Purchase(
        id=order.purchase_id.hex(),
        state=State.INSTRUCTED,
        moved_at_s=int(now_s),
        created_at_s=int(now_s),
        due_at_ms=(quote.expires_at + 1) * 1000 if free else None,
        network=conf.rail().network,
        contract=conf.rail().contract,
        buyer=order.buyer,
        access_key=order.access_key.hex(),
        digest=quote.digest,
        route=quote.route,
        asset=quote.sac,
        asset_code=quote.asset,
        amount=quote.amount,
        fee=quote.fee,
        payee=quote.payee,
        treasury=quote.treasury,
        quote=quote.to_json(),
        expires_at_s=quote.expires_at,
        signing_hash=instruction.signing_hash.hex(),
        preimage=instruction.preimage,
        entry=instruction.entry,
        transaction=instruction.transaction,
        link=instruction.link,
        valid_until=None if free else instruction.valid_until,
        instructed_at_ledger=None if free else instruction.latest,
        client_network=wish.client_network,
        is_offered=wish.is_offered,
    )


def _too_many_open() -> TooMany:
    return TooMany(
        f"A buyer has at most {OPEN_PER_BUYER} open purchases: sign one, or let one expire.",
        retry_after_s=RETRY_SECONDS,
    )
