"""What buyers say: the rating of services, reviews newest first, and what people report of them."""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.db.models import Count, Q, Window
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from gateway.domain.networks import network_of
from marketplace import throttling
from marketplace.models import Review, ReviewReport, Service
from marketplace.models.reviews import STARS_MAX
from marketplace.offered import gated
from marketplace.sitemaps import kept_from_robots

PAGE_SIZE = 20
REPORTS_PER_NETWORK_HOUR = 20


@dataclass(frozen=True, slots=True)
class Share:
    stars: int
    count: int
    of: int


@dataclass(frozen=True, slots=True)
class Rating:
    """`counts` has how many gave one star, two, and so on."""

    counts: tuple[int, ...]

    @property
    def count(self) -> int:
        return sum(self.counts)

    @property
    def hundredths(self) -> int:
        """The mean, in hundredths of a star; 0 where nobody gave any."""
        given = sum(stars * count for stars, count in enumerate(self.counts, 1))
        return round(100 * given / self.count) if self.count else 0

    @property
    def mean(self) -> str:
        return f"{self.hundredths / 100:.1f}"

    def shares(self) -> list[Share]:
        """The best first."""
        shares = [Share(stars, count, self.count) for stars, count in enumerate(self.counts, 1)]
        return shares[::-1]


NO_RATING = Rating((0,) * STARS_MAX)


def ratings(services: Collection[int]) -> Mapping[int, Rating]:
    """Of those that have one."""
    counts: dict[int, list[int]] = {}
    rows = Review.objects.shown().filter(service__in=services).order_by()
    for service, stars, count in rows.values_list("service", "stars").annotate(Count("pk")):
        counts.setdefault(service, [0] * STARS_MAX)[stars - 1] = count
    return {service: Rating(tuple(each)) for service, each in counts.items()}


def rating_of(service: Service) -> Rating:
    return ratings([service.pk]).get(service.pk, NO_RATING)


def latest(service: Service, before: int | None = None) -> Sequence[Review]:
    """A page of them, and one more where there are more."""
    shown = Review.objects.shown().filter(service=service)
    if before is not None:
        shown = shown.filter(pk__lt=before)
    return list(shown.order_by("-pk")[: PAGE_SIZE + 1])


def first_page(service: Service) -> tuple[Rating, Sequence[Review]]:
    """The rating and the latest in one query, as a page has them that shows much else."""
    stars = range(1, STARS_MAX + 1)
    counts = {f"of_{each}": Window(Count("pk", filter=Q(stars=each))) for each in stars}
    shown = Review.objects.shown().filter(service=service).annotate(**counts)
    found = list(shown.order_by("-pk")[: PAGE_SIZE + 1])
    if not found:
        return NO_RATING, found
    return Rating(tuple(getattr(found[0], name) for name in counts)), found


@require_safe
def reviews(request: HttpRequest, slug: str) -> HttpResponse:
    service = gated(slug)
    before = request.GET.get("before", "")
    found = latest(service, int(before) if before.isdecimal() and len(before) < 18 else None)
    context = {
        "service": service,
        "rating": rating_of(service),
        "reviews": found[:PAGE_SIZE],
        "older": found[PAGE_SIZE - 1].pk if len(found) > PAGE_SIZE else None,
        "reasons": ReviewReport.Reason.choices,
    }
    return kept_from_robots(render(request, "marketplace/reviews.html", context), service)


@require_POST
def report(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Noted for staff; the same answer whoever reported it before."""
    review = get_object_or_404(Review.objects.shown(), pk=pk, service=gated(slug))
    network = network_of(str(request.META.get("REMOTE_ADDR", "")))
    reason = request.POST.get("reason", "")
    allowed = throttling.allows(
        "report", network, limit=REPORTS_PER_NETWORK_HOUR, window_s=3_600, now_s=time.time()
    )
    if allowed and reason in ReviewReport.Reason.values:
        try:
            with transaction.atomic():
                ReviewReport.objects.create(review=review, reason=reason, client_network=network)
        except IntegrityError:
            pass  # From the same network, before.
        messages.success(request, gettext("Thank you: staff will look at this review."))
    else:
        messages.error(request, gettext("This was not noted. Choose a reason, or try again later."))
    return redirect(reverse("marketplace:reviews", args=[slug]))
