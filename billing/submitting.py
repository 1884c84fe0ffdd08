"""From a signed authorization to an applied transaction, safely.

The envelope is committed before it is first sent, and whatever is sent again is the same bytes.
Another one is built only when the first can never be applied: a ledger closed after its last moment
without it, or the one node that it was ever offered to, once, refused to take it. Were two of them
to race all the same, the chain takes the authorization's nonce and the purchase id once.

A channel has one transaction in a ledger. Purchases that find all of them busy wait in the order of
their authorizations; whoever learns that a channel is free wakes as many as there are free ones.

Nothing here blocks on the network's pace: each step does one thing and says when to look again.
"""

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from billing import channels, conf, confirming
from billing.domain.purchases import Event
from billing.domain.purchases import State as PurchaseState
from billing.models import ChainTransaction, Purchase
from billing.moving import due, move
from billing.orders import order_of
from billing.rails.port import (
    NEVER_TAKEN,
    Absent,
    Applied,
    Authorization,
    Channel,
    Envelope,
    FailedOnChain,
    Kind,
    Refusal,
    Refused,
    Sent,
    Slot,
)

ENVELOPE_SECONDS = 45
RESEND_SECONDS = 5.0
# How long to wait before looking again, by the number of looks so far.
# The follower sees payments sooner: looks are for what failed, or was lost.
LOOK_SECONDS = (2.0, 3.0, 5.0)
# What a node has taken is in the next ledger, or it needs a look.
ACCEPTED_SECONDS = 6.0
LOST_SECONDS = 1.0
# Whoever waits for a channel is woken when one is free; this is for when nobody was there to wake.
# Long, since who comes to its end looks like one that a worker has just taken, and is not woken.
CHANNELS_BUSY_SECONDS = 600.0
# Whoever has to build anew is not among those: a ledger later a channel may be free.
ANEW_SECONDS = 6.0
SWEPT_AT_ONCE = 50
State = ChainTransaction.State
UNDER_WAY = (PurchaseState.AUTHORIZED, PurchaseState.SUBMITTED)
# `attempts` counts looks and refusals: who has none only waits.
WAITING = {
    "state": PurchaseState.AUTHORIZED,
    "attempts": 0,
    "authorization_kind": Kind.ENTRY,
}


def step(purchase: Purchase, *, now_s: float) -> None:
    """Do what is next for an authorized or submitted purchase."""
    sent = None
    if purchase.state == PurchaseState.SUBMITTED:  # The state is stored with the first envelope.
        sent = purchase.transactions.filter(state__in=ChainTransaction.OPEN).first()
    if sent is not None:
        _look_after(purchase, sent, now_s=now_s)
    elif _may_build(purchase):
        _build(purchase, now_s=now_s)
    else:
        _later(purchase, now_s=now_s)


def waiting_for_channel(network: str) -> QuerySet[Purchase]:
    """Authorized, needing a channel, and nothing under way yet."""
    return Purchase.objects.filter(network=network, **WAITING)


def waits_for_channel(purchase: Purchase, *, now_s: float) -> bool:
    """It is one of those, and there is none for it."""
    return _is_waiting(purchase) and not channels.is_any_free(network=purchase.network, now_s=now_s)


def _is_waiting(purchase: Purchase) -> bool:
    return all(getattr(purchase, name) == value for name, value in WAITING.items())


def wait_s(kind: Kind, *, now_s: float) -> float:
    """How long somebody who is authorized now can be left alone, unless he is woken."""
    if kind is not Kind.ENTRY or channels.is_any_free(network=conf.rail().network, now_s=now_s):
        return 0.0
    return CHANNELS_BUSY_SECONDS


def park(*, now_s: float) -> None:
    """Let all who only wait for a channel be woken, when there is none: a task each is too much."""
    network = conf.rail().network
    waiting = waiting_for_channel(network).filter(due_at_ms__lte=int(now_s * 1000))
    if waiting.exists() and not channels.is_any_free(network=network, now_s=now_s):
        waiting.update(due_at_ms=int((now_s + CHANNELS_BUSY_SECONDS) * 1000))


def sweep(*, now_s: float) -> None:
    """Learn what became of envelopes whose purchase needs them no more: they hold a channel."""
    left = ChainTransaction.objects.filter(state__in=ChainTransaction.OPEN)
    left = left.exclude(purchase__state__in=UNDER_WAY).select_related("purchase")
    for sent in left[:SWEPT_AT_ONCE]:
        _look_after(sent.purchase, sent, now_s=now_s)


def _may_build(purchase: Purchase) -> bool:
    """The buyer's own transaction has one sequence number: it is sent as it is, or never."""
    return purchase.authorization_kind == Kind.ENTRY or not purchase.transactions.exists()


def _build(purchase: Purchase, *, now_s: float) -> None:
    if purchase.authorization_kind == Kind.TRANSACTION:
        built = _envelope(purchase, None)
        if (stored := _take(purchase, built, None, now_s=now_s)) is not None:
            _send(purchase, stored, now_s=now_s)
        return
    leased = channels.lease(network=purchase.network, now_s=now_s)
    if leased is None:
        seconds = CHANNELS_BUSY_SECONDS if _is_waiting(purchase) else ANEW_SECONDS
        due(purchase.pk, at_s=now_s + seconds)
        return
    stored = None
    try:
        sequence = channels.next_sequence(leased)
        if sequence is None:
            channels.mark_poor(leased.row, "account does not exist", now_s=now_s)
            _soon(purchase, now_s=now_s)
            return
        channel = Channel(leased.row.index, leased.row.address)
        slot = Slot(channel, sequence, int(now_s) + ENVELOPE_SECONDS)
        stored = _take(purchase, _envelope(purchase, slot), (leased, sequence), now_s=now_s)
    finally:
        if stored is None:
            channels.give_back(leased)
    if stored is not None:
        _send(purchase, stored, now_s=now_s)


def _envelope(purchase: Purchase, slot: Slot | None) -> Envelope | Refused:
    authorization = Authorization(Kind(purchase.authorization_kind), purchase.authorization)
    return conf.rail().build(order_of(purchase), authorization, slot)


def _take(
    purchase: Purchase,
    built: Envelope | Refused,
    place: tuple[channels.Leased, int] | None,
    *,
    now_s: float,
) -> ChainTransaction | None:
    """What is stored, and now holds the channel."""
    if isinstance(built, Refused):
        _refused(purchase, built, Event.REJECT, now_s=now_s)
        return None
    return _store(purchase, built, place, now_s=now_s)


def _store(
    purchase: Purchase,
    envelope: Envelope,
    place: tuple[channels.Leased, int] | None,
    *,
    now_s: float,
) -> ChainTransaction | None:
    """Commit the envelope. None when another worker was faster: its envelope is the one."""
    try:
        with transaction.atomic():
            if place is not None and not channels.still_leased(place[0]):
                return None
            stored = ChainTransaction.objects.create(
                purchase=purchase,
                channel=None if place is None else place[0].row,
                sequence=None if place is None else place[1],
                tx_hash=envelope.tx_hash,
                envelope=envelope.body,
                last_moment_s=envelope.last_moment_s,
                built_at_ledger=envelope.height,
                created_at_s=int(now_s),
            )
            changes = {"due_at_ms": int((now_s + LOOK_SECONDS[0]) * 1000)}
            if purchase.state == PurchaseState.AUTHORIZED and not move(
                purchase.pk,
                Event.SUBMIT,
                now_s=now_s,
                changes=changes,
                detail={"tx_hash": envelope.tx_hash},
                known=PurchaseState.AUTHORIZED,
            ):
                transaction.set_rollback(True)
                return None
    except IntegrityError:
        due(purchase.pk, at_s=now_s + LOOK_SECONDS[0])
        return None
    return stored


def _send(purchase: Purchase, sent: ChainTransaction, *, now_s: float) -> None:
    """Counted before it is sent, so that the first time is known to be the first."""
    mine = ChainTransaction.objects.filter(
        pk=sent.pk, state__in=ChainTransaction.OPEN, sends=sent.sends
    )
    if not mine.update(state=State.SENT, sends=sent.sends + 1, sent_at_ms=int(now_s * 1000)):
        _later(purchase, now_s=now_s)
        return
    receipt = conf.rail().send(sent.envelope)
    changes: dict[str, object] = {"last_code": receipt.code[:64]}
    if receipt.sent is Sent.UNKNOWN:
        changes["sent_at_ms"] = None  # A lost connection: the next look may send again at once.
    ChainTransaction.objects.filter(pk=sent.pk).update(**changes)
    if sent.channel is not None:
        if receipt.sent is Sent.CHANNEL_POOR:
            channels.mark_poor(sent.channel, receipt.code, now_s=now_s)
        if sent.sends == 0 and receipt.sent in NEVER_TAKEN:
            _close(sent, State.DEAD, code=receipt.code[:64])
    _later(purchase, now_s=now_s, seconds=_look_in(receipt.sent, purchase.attempts))


def _look_in(sent: Sent, attempts: int) -> float | None:
    if sent is Sent.ACCEPTED:
        return ACCEPTED_SECONDS
    lost = sent in NEVER_TAKEN or sent is Sent.UNKNOWN
    return LOST_SECONDS if lost and attempts < len(LOOK_SECONDS) else None


def _look_after(purchase: Purchase, sent: ChainTransaction, *, now_s: float) -> None:
    outcome = conf.rail().outcome(sent.tx_hash, order_of(purchase))
    match outcome:
        case Applied():
            for payment in outcome.payments:
                confirming.record(payment, network=purchase.network, now_s=now_s)
            _close(sent, State.APPLIED, ledger=outcome.ledger)
            _later(purchase, now_s=now_s)
        case FailedOnChain():
            _close(sent, State.FAILED, ledger=outcome.ledger, code=outcome.refused.slug)
            _refused(purchase, outcome.refused, Event.FAIL, now_s=now_s)
        case Absent() if _is_dead(sent, outcome):
            _close(sent, State.DEAD)
            _soon(purchase, now_s=now_s)
        case Absent() if purchase.state in UNDER_WAY and _should_resend(sent, now_s):
            _send(purchase, sent, now_s=now_s)
        case Absent():
            _later(purchase, now_s=now_s)


def _is_dead(sent: ChainTransaction, absent: Absent) -> bool:
    """A ledger closed after its last moment, and the node remembers all since it was built."""
    seen = absent.seen
    return seen.closed_at_s > sent.last_moment_s and seen.oldest_ledger <= sent.built_at_ledger + 1


def _should_resend(sent: ChainTransaction, now_s: float) -> bool:
    return sent.sent_at_ms is None or now_s * 1000 >= sent.sent_at_ms + RESEND_SECONDS * 1000


def _close(
    sent: ChainTransaction, state: State, *, ledger: int | None = None, code: str = ""
) -> None:
    changes: dict[str, object] = {"last_code": code} if code else {}
    ChainTransaction.objects.filter(pk=sent.pk, state__in=ChainTransaction.OPEN).update(
        state=state, ledger=ledger, **changes
    )


def _refused(purchase: Purchase, refused: Refused, event: Event, *, now_s: float) -> None:
    """Only a final refusal ends the purchase. A used id or nonce may be the payment itself."""
    if refused.refusal is not Refusal.FINAL:
        _later(purchase, now_s=now_s)
        return
    changes = {
        "problem": refused.slug,
        "problem_detail": refused.detail[:500],
        "due_at_ms": None,
    }
    with transaction.atomic():
        if not purchase.transactions.filter(state__in=ChainTransaction.OPEN).exists():
            move(purchase.pk, event, now_s=now_s, changes=changes, detail={"problem": refused.slug})


def _soon(purchase: Purchase, *, now_s: float) -> None:
    under_way = Purchase.objects.filter(pk=purchase.pk, state__in=UNDER_WAY)
    under_way.update(due_at_ms=int(now_s * 1000))


def _later(purchase: Purchase, *, now_s: float, seconds: float | None = None) -> None:
    if seconds is None:
        seconds = LOOK_SECONDS[min(purchase.attempts, len(LOOK_SECONDS) - 1)]
    Purchase.objects.filter(pk=purchase.pk, state__in=UNDER_WAY).update(
        attempts=purchase.attempts + 1, due_at_ms=int((now_s + seconds) * 1000)
    )
