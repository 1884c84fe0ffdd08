"""A service on a card: the cheapest pass and what was measured, in words."""

from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext as _

from marketplace.domain import plans
from marketplace.domain.standings import BEYOND_MS, PER_HOUR_MAX, SAMPLES_MIN
from marketplace.models import CheapestPrice, Service, Standing
from marketplace.models.standing import UNKNOWN_MS


@dataclass(frozen=True, slots=True)
class Pass:
    price: str
    asset: str
    is_free: bool
    duration: str


@dataclass(frozen=True, slots=True)
class Measured:
    """Shares are None where there were too few samples to say one."""

    success: str | None
    latency: str | None
    calls: str
    uptime: str | None
    probes: str
    is_down: bool
    is_probed: bool

    @property
    def health(self) -> str:
        if not self.is_probed:
            return "unknown"
        return "down" if self.is_down else "up"

    @property
    def says_something(self) -> bool:
        return self.success is not None or self.uptime is not None


@dataclass(frozen=True, slots=True)
class Card:
    service: int
    name: str
    tagline: str
    url: str
    provider: str
    category: str
    initial: str
    tint: int  # Which of the stylesheet's tints the monogram has.
    cheapest: Pass | None
    per_hour: str  # The least of all plans in the asset of the cheapest.
    has_free_plan: bool
    is_verified: bool  # Its provider.
    measured: Measured
    rating: str  # Of five; empty where nobody has reviewed it.
    reviews: int


def card(service: Service, standing: Standing, price: CheapestPrice | None = None) -> Card:
    """With the price in the asset that was asked for, where one was."""
    return Card(
        service=service.pk,
        name=service.name,
        tagline=service.tagline,
        url=reverse("marketplace:service", args=[service.slug]),
        provider=service.provider.name,
        category=service.category.name if service.category else "",
        initial=service.name[:1].upper(),
        tint=sum(service.slug.encode()) % 6,
        cheapest=_pass(price or standing),
        per_hour=_per_hour(price.per_hour if price else standing.price_key % (2 * PER_HOUR_MAX)),
        has_free_plan=standing.has_free and standing.has_paid,
        is_verified=service.provider.is_verified,
        measured=measured(standing),
        rating=f"{standing.rating / 100:.1f}" if standing.rating_count else "",
        reviews=standing.rating_count,
    )


def measured(standing: Standing) -> Measured:
    return Measured(
        success=show_share(standing.success),
        latency=show_latency(standing.p50_ms),
        calls=show_count(standing.calls),
        uptime=show_share(standing.uptime),
        probes=show_count(standing.probes),
        is_down=standing.down_since is not None,
        is_probed=standing.probed_at is not None,
    )


def _pass(price: CheapestPrice | Standing) -> Pass | None:
    if price.amount is None or price.access_seconds is None:
        return None
    return Pass(
        price=plans.show_amount(price.amount),
        asset=price.asset,
        is_free=price.amount == 0,
        duration=plans.show_duration(price.access_seconds),
    )


def _per_hour(least: int) -> str:
    return plans.per_hour(least, 3_600) if 0 < least < PER_HOUR_MAX else ""


def show_share(of_ten_thousand: int | None) -> str | None:
    """9987 → 99.87 %. What is not all of it never reads as 100 %."""
    if of_ten_thousand is None:
        return None
    return f"{of_ten_thousand / 100:.2f}".rstrip("0").rstrip(".") + " %"


def show_latency(median_ms: int) -> str | None:
    """Half of the calls were answered within it."""
    if median_ms == UNKNOWN_MS:
        return None
    if median_ms >= BEYOND_MS:
        return "> 30 s"
    return f"{median_ms} ms" if median_ms < 1_000 else f"{median_ms / 1_000:g} s"


def show_count(count: int) -> str:
    if count < SAMPLES_MIN:
        return _("fewer than %(count)d") % {"count": SAMPLES_MIN}
    return f"{count:,}"
