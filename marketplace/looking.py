"""How often the pages of services are looked at: counted in memory, until somebody writes it down.

Only how often. Nothing tells one visitor from another, and nothing of a visitor is kept. What says
itself that it is a program is not counted, nor who sells or works here.
"""

import re
import threading
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime

from django.http import HttpRequest

from marketplace.models import Service

PROGRAM = re.compile(
    r"bot|crawl|spider|slurp|preview|monitor|headless|scan|fetch|http|curl|wget|python|java/|go-",
    re.IGNORECASE,
)
KEYS_MAX = 10_000

Looked = tuple[int, str, date]
"""Whose service, its slug, and the day (UTC)."""


class Looks:
    def __init__(self) -> None:
        self._counts: Counter[Looked] = Counter()
        self._lock = threading.Lock()

    def note(self, service: Service, at: datetime) -> None:
        key = (service.provider_id, service.slug, at.astimezone(UTC).date())
        with self._lock:
            if key in self._counts or len(self._counts) < KEYS_MAX:
                self._counts[key] += 1

    def drain(self) -> Mapping[Looked, int]:
        with self._lock:
            counts, self._counts = self._counts, Counter()
        return counts

    def give_back(self, counts: Mapping[Looked, int]) -> None:
        """They could not be written."""
        with self._lock:
            self._counts.update(counts)

    def __bool__(self) -> bool:
        return bool(self._counts)


looks = Looks()


def is_a_person(request: HttpRequest) -> bool:
    """As far as the request says, and somebody who may buy."""
    agent = request.headers.get("User-Agent", "")
    ahead = "prefetch" in request.headers.get("Sec-Purpose", "")
    if request.method != "GET" or not agent or ahead or PROGRAM.search(agent):
        return False
    return not request.user.is_staff
