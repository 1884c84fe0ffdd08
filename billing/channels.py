"""Channel accounts: one transaction at a time each, so purchases that are under way need several.

A worker leases a channel before it builds. The lease is a moment long and covers only the building;
from then on the open transaction holds the channel, until it is known to be applied, failed or
dead. Two workers never get one channel: PostgreSQL skips rows that are locked, SQLite writes one
at a time, and in both the lease is a conditional UPDATE.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection, transaction
from django.db.models import Exists, Max, OuterRef, QuerySet

from billing import auditing, conf
from billing.domain.errors import NetworkUnavailable
from billing.models import ChainTransaction, ChannelAccount
from billing.rails.port import Channel

LEASE_SECONDS = 30
# Base reserve, and fees for a few hundred purchases.
SPENDABLE_MIN = 50_000_000
IN_A_LEDGER = (ChainTransaction.State.APPLIED, ChainTransaction.State.FAILED)


@dataclass(frozen=True, slots=True)
class Leased:
    row: ChannelAccount
    lease: str


def lease(*, network: str, now_s: float) -> Leased | None:
    """A channel, or None while all are busy."""
    now_ms = int(now_s * 1000)
    token = secrets.token_hex(16)
    with transaction.atomic():
        free = _free(network, now_ms)
        if connection.vendor == "postgresql":
            free = free.select_for_update(skip_locked=True, of=("self",))
        channel = free.order_by("leased_until_ms", "index").first()
        if channel is None:
            return None
        taken = (
            _free(network, now_ms)
            .filter(pk=channel.pk)
            .update(lease=token, leased_until_ms=now_ms + LEASE_SECONDS * 1000)
        )
        return Leased(channel, token) if taken else None


def free_count(*, network: str, now_s: float) -> int:
    return _free(network, int(now_s * 1000)).count()


def is_any_free(*, network: str, now_s: float) -> bool:
    return _free(network, int(now_s * 1000)).exists()


def still_leased(leased: Leased) -> bool:
    """To be asked in the transaction that stores the envelope: it locks the lease until then."""
    held = ChannelAccount.objects.filter(pk=leased.row.pk, lease=leased.lease)
    return bool(held.update(leased_until_ms=0, lease=""))


def give_back(leased: Leased) -> None:
    ChannelAccount.objects.filter(pk=leased.row.pk, lease=leased.lease).update(
        leased_until_ms=0, lease=""
    )


def next_sequence(leased: Leased) -> int | None:
    """None: the network has no such account.

    Nobody else sends from a channel, so it has used what its newest envelope had, once that is in a
    ledger. Else the network says, or what we know was used, whichever is further.
    """
    envelopes = ChainTransaction.objects.filter(channel=leased.row).order_by("-pk")
    newest = envelopes.values_list("state", "sequence").first()
    if newest is not None and newest[0] in IN_A_LEDGER and newest[1] is not None:
        return newest[1] + 1
    state = conf.rail().channel_state(leased.row.address)
    if state is None:
        return None
    used = envelopes.filter(state__in=IN_A_LEDGER).aggregate(last=Max("sequence"))["last"]
    return max(state.sequence, used or 0) + 1


def mark_poor(channel: ChannelAccount, problem: str, *, now_s: float) -> None:
    """Leave it out until `ensure` has looked after it."""
    with transaction.atomic():
        if ChannelAccount.objects.filter(pk=channel.pk, usable=True).update(
            usable=False, problem=problem[:200]
        ):
            auditing.record(
                action="channel.unusable",
                subject=channel.address,
                now_s=now_s,
                detail={"problem": problem},
            )


def ensure(count: int | None = None, *, now_s: float) -> list[ChannelAccount]:
    """Make and fund this many channels. Again: changes nothing."""
    count = conf.conf().channels if count is None else count
    return _ensure([conf.rail().channel(index) for index in range(count)], now_s=now_s)


def top_up(*, now_s: float) -> None:
    """Look after those that there are: fund the poor, use again what is funded."""
    rail = conf.rail()
    indices = ChannelAccount.objects.filter(network=rail.network).values_list("index", flat=True)
    _ensure([rail.channel(index) for index in sorted(indices)], now_s=now_s)


def is_poor(channel: Channel) -> bool:
    state = conf.rail().channel_state(channel.address)
    return state is None or state.spendable < SPENDABLE_MIN


def _ensure(wanted: Sequence[Channel], *, now_s: float) -> list[ChannelAccount]:
    if poor := [channel.address for channel in wanted if is_poor(channel)]:
        conf.rail().fund(poor)
    return [_ensure_one(channel, now_s=now_s) for channel in wanted]


def _ensure_one(channel: Channel, *, now_s: float) -> ChannelAccount:
    rail = conf.rail()
    state = rail.channel_state(channel.address)
    usable = state is not None and state.spendable > 0
    problem = "" if usable else "not funded"
    with transaction.atomic():
        row, made = ChannelAccount.objects.get_or_create(
            network=rail.network,
            index=channel.index,
            defaults={"address": channel.address, "usable": usable, "problem": problem},
        )
        if row.address != channel.address:
            raise NetworkUnavailable(
                f"Channel {channel.index} belongs to another channel key than this process has."
            )
        if made:
            auditing.record(
                action="channel.made",
                subject=row.address,
                now_s=now_s,
                detail={"index": channel.index},
            )
        elif row.usable != usable:
            row.usable, row.problem = usable, problem
            row.save(update_fields=["usable", "problem"])
    return row


def _free(network: str, now_ms: int) -> QuerySet[ChannelAccount]:
    busy = ChainTransaction.objects.filter(channel=OuterRef("pk"), state__in=ChainTransaction.OPEN)
    return ChannelAccount.objects.filter(
        ~Exists(busy), network=network, usable=True, leased_until_ms__lte=now_ms
    )
