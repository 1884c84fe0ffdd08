"""The part of a service's and of a route's form that says what the gate guards against."""

from collections.abc import Collection
from copy import copy
from datetime import UTC, datetime
from typing import TypeVar

from django.utils import timezone

from marketplace import guarding
from marketplace.admin.generic import FieldOptions, ModelForm
from marketplace.guarded import SAID
from marketplace.models import Route, Service

M = TypeVar("M", Service, Route)

WINDOWS = (
    ("guard_client_requests", "guard_client_window_s"),
    ("guard_requests", "guard_window_s"),
)
PAIRS = [*WINDOWS, *(pair[::-1] for pair in WINDOWS)]
GUARDS: FieldOptions = {
    "fields": [
        ("guard_client_requests", "guard_client_window_s", "guard_client_concurrency"),
        ("guard_requests", "guard_window_s", "guard_concurrency"),
        ("guard_body_bytes", "guard_idle_ms"),
    ],
    "classes": ["collapse"],
    "description": "What each route takes from anybody, on each gateway. They never take away what "
    "was sold: a grant with a rate is held to that rate, one with a concurrency to that "
    "concurrency, and grants bought before a guard was set are not bound by it. Buyers see them in "
    "the 402.",
}


class GuardForm(ModelForm[M]):
    binds_later = ""
    """What the provider should know about grants that run."""

    def _clean_guards(self, cleaned: dict[str, object], routes: Collection[Route]) -> None:
        """Sets `guards_since_s` of the row that is about to be saved."""
        for given, missing in PAIRS:
            if cleaned.get(given) is not None and cleaned.get(missing) is None:
                self.add_error(missing, "These two go together.")
        # The model's own validators have not looked yet.
        if self.errors or any(cleaned[name] == 0 for name in SAID):
            return
        row = self.instance
        after = copy(row)
        for name in SAID:
            setattr(after, name, cleaned[name])
        for said in guarding.undercuts(after, routes):
            self.add_error(None, f"This guard would take away what is on sale. {said}")
        since_s = guarding.binds_from(row, after, routes, timezone.now().timestamp())
        if since_s != row.guards_since_s:
            moment = datetime.fromtimestamp(since_s, UTC)
            self.binds_later = f"The guards bind grants bought after {moment:%d %B, %H:%M} UTC."
            row.guards_since_s = since_s
