"""Routes as a form, and the checks that need all routes of a service at once."""

from collections.abc import Iterable

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from gateway.domain.paths import AmbiguousPath, canonical
from marketplace import holding
from marketplace.admin.generic import BaseInlineFormSet
from marketplace.admin.guard_form import GuardForm
from marketplace.domain.coverage import Claim
from marketplace.guarded import SAID
from marketplace.models import Route, Service

MESSAGE_BYTES_LIMIT = 64 * 1024 * 1024
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


class RouteForm(GuardForm[Route]):
    methods = forms.MultipleChoiceField(
        choices=[(method, method) for method in METHODS],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="None ticked: any method.",
    )

    class Meta:
        model = Route
        labels = {"message_bytes_max": "longest WebSocket message, in bytes"}
        fields = ["service", "name", "slug", "path", "methods", "description"]
        fields += ["connect_ms", "first_byte_ms", "idle_ms", "message_bytes_max", *SAID]

    def clean_message_bytes_max(self) -> int:
        size = self.cleaned_data["message_bytes_max"]
        if size is not None and not 1 <= size <= MESSAGE_BYTES_LIMIT:
            raise ValidationError(f"From 1 to {MESSAGE_BYTES_LIMIT:,}.")
        return self.instance.message_bytes_max if size is None else int(size)

    def clean_path(self) -> str:
        path = str(self.cleaned_data["path"])
        try:
            exact = canonical(path.encode()).decode()
        except AmbiguousPath as exc:
            raise ValidationError(f"This path cannot be a route: {exc}.") from exc
        return exact.rstrip("/") or "/"

    def clean(self) -> dict[str, object]:
        cleaned: dict[str, object] = super().clean() or self.cleaned_data
        service = cleaned.get("service")
        alone = isinstance(service, Service) and not self.errors
        if alone and isinstance(service, Service):
            check_together(service, [self])
            self._clean_guards(cleaned, [self.instance] if self.instance.pk else [])
        return cleaned

    @property
    def claim(self) -> Claim:
        return Claim.of(self.cleaned_data["path"], self.cleaned_data["methods"])


def check_together(service: Service, forms_: Iterable[RouteForm]) -> None:
    """The division of paths after all these forms are saved; errors land on their forms."""
    changing = list(forms_)
    after = holding.claims_of(service) if service.pk else {}
    for number, form in enumerate(changing):
        key = form.instance.pk or -1 - number  # A new route has no key yet.
        if form.cleaned_data.get("DELETE"):
            after.pop(key, None)
        else:
            claim = form.claim
            if any(claim.collides(other) for known, other in after.items() if known != key):
                form.add_error("path", "Another route answers the same path and method.")
            after[key] = claim
    if service.pk:
        _check_holds(service, changing, after)


def _check_holds(service: Service, changing: list[RouteForm], after: dict[int, Claim]) -> None:
    now_s = timezone.now().timestamp()
    try:
        holding.check_claims(service, after, now_s)
    except holding.Held as exc:
        changing[0].add_error("path", str(exc))
    for form in changing:
        if form.instance.pk and {"slug", "service"} & set(form.changed_data):
            before = Route.objects.select_related("service").get(pk=form.instance.pk)
            try:
                holding.check_names([before], now_s)
            except holding.Held as exc:
                form.add_error("slug", str(exc))


class RouteFormSet(BaseInlineFormSet[Route, Service, RouteForm]):
    def clean(self) -> None:
        super().clean()
        if any(self.errors):
            return
        live = [form for form in self.forms if form.has_changed()]
        if live:
            check_together(self.instance, live)


class InlineRouteForm(RouteForm):
    """Checked with its siblings by the form set, once all of them are known."""

    class Meta(RouteForm.Meta):
        fields = ["name", "slug", "path", "methods"]

    def clean(self) -> dict[str, object]:
        return dict(self.cleaned_data)
