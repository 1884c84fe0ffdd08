"""What a service's routes are guarded by, or one route where it differs: see gateway/domain/guards.

Empty is no guard, or on a route the service's.
"""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from gateway.domain import guards

SAID = {
    "guard_client_requests": "client_requests",
    "guard_client_window_s": "client_window_s",
    "guard_client_concurrency": "client_concurrency",
    "guard_requests": "requests",
    "guard_window_s": "window_s",
    "guard_concurrency": "concurrency",
    "guard_body_bytes": "body_bytes",
    "guard_idle_ms": "idle_ms",
}
"""Each field, and what the snapshot calls it."""

IDLE = "Of a caller within the body of its request; of both sides on a WebSocket."


def _count(
    label: str, most: int, help_text: str = ""
) -> "models.PositiveBigIntegerField[int | None, int | None]":
    return models.PositiveBigIntegerField(
        label,
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(most)],
        help_text=help_text,
    )


class Guarded(models.Model):
    guard_client_requests = _count("calls from one address", guards.COUNT_MAX)
    guard_client_window_s = _count("within (seconds)", guards.WINDOW_S_MAX)
    guard_client_concurrency = _count("at a time from one address", guards.COUNT_MAX)
    guard_requests = _count("calls from all together", guards.COUNT_MAX)
    guard_window_s = _count("within (seconds) ", guards.WINDOW_S_MAX)
    guard_concurrency = _count("at a time from all together", guards.COUNT_MAX)
    guard_body_bytes = _count("largest request body (bytes)", guards.BODY_BYTES_MAX)
    guard_idle_ms = _count("longest silence (ms)", guards.IDLE_MS_MAX, IDLE)
    guards_since_s = models.BigIntegerField(default=0, editable=False)

    class Meta:
        abstract = True

    def said_guards(self) -> dict[str, int]:
        said = {name: getattr(self, field) for field, name in SAID.items()}
        said = {name: value for name, value in said.items() if value is not None}
        return {"since": self.guards_since_s, **said} if said or self.guards_since_s else {}
