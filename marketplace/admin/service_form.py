"""A service and its upstreams as forms."""

import re
from collections.abc import Mapping
from typing import ClassVar

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils import timezone

from gateway.addresses import AddressRefused, Policy, Unresolvable, check_upstream
from marketplace import holding
from marketplace.admin.generic import BaseInlineFormSet, ModelForm
from marketplace.admin.reaching_form import LINES, PEM, ReachingForm
from marketplace.domain.words import folded
from marketplace.guarded import SAID
from marketplace.models import Route, Service, Upstream

HOST = re.compile(
    r"(?=.{4,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]"
)
ORIGIN = re.compile(r"https?://(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(?::[0-9]{1,5})?")
ROOT_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)+")
TAG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
TAGS_MAX, TAG_LENGTH_MAX = 10, 30
PRIVATE_HINT = "Who runs this gateway can allow its network: UPSTREAM_NETWORKS."
# First segments that the site itself answers.
RESERVED = {"admin", "apicharge", "gate", "llms.txt", "openapi.json", "problems", "services"}
RESERVED |= {
    "checkout",
    "live",
    "providers",
    "purchases",
    "static",
    ".well-known",
    "livez",
    "readyz",
    "metrics",
}


MEMBERS = Service.Visibility.MEMBERS


class OriginsField(forms.CharField):
    """A list of origins, one a line."""

    def prepare_value(self, value: object) -> object:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: object) -> list[str]:  # type: ignore[override]
        return list(dict.fromkeys(str(value or "").lower().split()))

    def has_changed(self, initial: object, data: object) -> bool:
        return bool((initial or []) != self.to_python(data))

    def validate(self, value: object) -> None:
        assert isinstance(value, list)
        for origin in value:
            if ORIGIN.fullmatch(origin) is None:
                raise ValidationError("%(origin)s is no origin.", params={"origin": origin})


class TagsField(forms.CharField):
    """A few words or pairs of words, with commas between."""

    def prepare_value(self, value: object) -> object:
        return ", ".join(value) if isinstance(value, list) else value

    def to_python(self, value: object) -> list[str]:  # type: ignore[override]
        found = ("-".join(folded(each).split()) for each in re.split(r"[,\n]", str(value or "")))
        return list(dict.fromkeys(tag for tag in found if tag))

    def has_changed(self, initial: object, data: object) -> bool:
        return bool((initial or []) != self.to_python(data))

    def validate(self, value: object) -> None:
        assert isinstance(value, list)
        if len(value) > TAGS_MAX:
            raise ValidationError("%(most)d tags at most.", params={"most": TAGS_MAX})
        for tag in value:
            if TAG.fullmatch(tag) is None or len(tag) > TAG_LENGTH_MAX:
                raise ValidationError("%(tag)s is no tag.", params={"tag": tag})


class ServiceForm(ReachingForm):
    allowed_origins = OriginsField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="One a line, such as https://app.example.com. Only their pages may open a "
        "WebSocket by the visitor's cookie; any page may with a token as subprotocol.",
    )

    tags = TagsField(
        required=False,
        widget=forms.TextInput(attrs={"class": "vLargeTextField"}),
        help_text=f"Words that it is found by, with commas between, at most {TAGS_MAX}.",
    )

    protocols = forms.MultipleChoiceField(
        choices=Service.Protocol.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="The catalogue can be narrowed to them. gRPC and WebSocket upstreams and streams "
        "of an imported document are seen anyway.",
    )

    regions = forms.MultipleChoiceField(
        choices=Service.Region.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Where your API runs. Shown on its page; the catalogue can be narrowed to them.",
    )

    visibility = forms.ChoiceField(
        choices=Service.Visibility.choices, required=False, initial=Service.Visibility.PUBLIC
    )

    class Meta:
        model = Service
        fields = [
            "provider",
            "category",
            "name",
            "slug",
            "tagline",
            "refunds",
            "description",
            "tags",
            "protocols",
            "regions",
            "state",
            "visibility",
            "organisation",
            "featured",
            "host",
            "root_path",
            "connect_ms",
            "first_byte_ms",
            "idle_ms",
            *SAID,
            "balancing",
            "health_path",
            "health_interval_ms",
            "health_timeout_ms",
            "unhealthy_after",
            "healthy_after",
            "tls_ca",
            "tls_certificate",
            "credential_in",
            "credential_name",
            "strip_prefix",
            "add_prefix",
            "keeps_host",
            "upstream_host",
            "request_set",
            "request_remove",
            "trailers",
            "response_set",
            "response_remove",
            "allowed_origins",
        ]
        widgets = {
            "tagline": forms.TextInput(attrs={"class": "vLargeTextField"}),
            "description": forms.Textarea(attrs={"rows": 12, "class": "vLargeTextField"}),
            "tls_ca": forms.Textarea(attrs=PEM),
            "tls_certificate": forms.Textarea(attrs=PEM),
            **{name: forms.Textarea(attrs=PEM) for name in LINES},
        }

    def clean_visibility(self) -> str:
        return str(self.cleaned_data["visibility"] or self.instance.visibility)

    def clean_host(self) -> str | None:
        host = str(self.cleaned_data["host"] or "").lower()
        if host and HOST.fullmatch(host) is None:
            raise ValidationError("A host name such as weather.example.com, without a port.")
        return host or None

    def clean_root_path(self) -> str | None:
        root = str(self.cleaned_data["root_path"] or "")
        taken = RESERVED | {settings.GATE_PREFIX.strip("/").partition("/")[0]}
        if root and ROOT_PATH.fullmatch(root) is None:
            raise ValidationError("A path such as /package.Service, without a final slash.")
        if root.split("/")[1:2] and root.split("/")[1] in taken:
            raise ValidationError("The site itself answers there.")
        return root or None

    def clean(self) -> dict[str, object]:
        cleaned: dict[str, object] = super().clean() or self.cleaned_data
        if cleaned.get("visibility") == MEMBERS and not cleaned.get("organisation"):
            self.add_error("organisation", "Whose members?")
        moved = {"slug", "host", "root_path"} & set(self.changed_data)
        hidden = "state" in self.changed_data and cleaned.get("state") == Service.State.DRAFT
        if self.instance.pk and (moved or hidden):
            self._check_not_held(min(moved, default="state"))
        self._clean_guards(cleaned, self._standing() if self.instance.pk else [])
        return cleaned

    def _standing(self) -> list[Route]:
        routes = Route.objects.standing().filter(service=self.instance.pk)
        return list(routes.select_related("service"))

    def _check_not_held(self, field: str) -> None:
        routes = self._standing()
        held = holding.hold(routes, timezone.now().timestamp()) if routes else None
        if held and field == "state":
            self.add_error("state", f"{held.words()}. Withdraw the service: that ends sales only.")
        elif held:
            self.add_error(field, f"This address is in use: {held.words()}.")


def refusal(url: str) -> str | None:
    """Why this upstream may not be called; None where it may. Asks the name service."""
    try:
        check_upstream(url, Policy.of(settings.UPSTREAM_NETWORKS, settings.OWN_ADDRESSES))
    except AddressRefused as exc:
        private = "not a public address" in str(exc)
        return f"{exc} {PRIVATE_HINT}" if private else str(exc)
    except Unresolvable as exc:
        return str(exc)
    return None


class UpstreamForm(ModelForm[Upstream]):
    refusals: ClassVar[Mapping[str, str | None]] = {}  # What was found before the transaction.

    class Meta:
        model = Upstream
        fields = ["url", "weight"]

    def clean_url(self) -> str:
        url = str(self.cleaned_data["url"]).strip()
        if "url" not in self.changed_data:
            return url  # A name that cannot be resolved today must not stop other changes.
        said = self.refusals[url] if url in self.refusals else refusal(url)
        if said:
            raise ValidationError(said)
        return url


class UpstreamFormSet(BaseInlineFormSet[Upstream, Service, UpstreamForm]):
    def clean(self) -> None:
        super().clean()
        if any(self.errors) or self.instance.state == Service.State.DRAFT:
            return
        staying = [
            form
            for form in self.forms
            if form.cleaned_data.get("url") and not form.cleaned_data.get("DELETE")
        ]
        if not staying:
            raise ValidationError("A service that is published needs an upstream to call.")
