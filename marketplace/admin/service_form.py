"""A service and its upstreams as forms."""

import re
import ssl
from collections.abc import Mapping
from typing import ClassVar

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils import timezone

from gateway.addresses import AddressRefused, Policy, Unresolvable, check_upstream
from gateway.domain.clusters import Tls
from gateway.domain.paths import AmbiguousPath, canonical
from gateway.upstream import is_usable
from marketplace import holding
from marketplace.admin.generic import BaseInlineFormSet, ModelForm
from marketplace.models import PEM_LENGTH_MAX, Route, Service, Upstream

HOST = re.compile(
    r"(?=.{4,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]"
)
PEM = {"rows": 4, "class": "vLargeTextField", "spellcheck": "false", "autocomplete": "off"}
ROOT_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)+")
# First segments that the site itself answers.
RESERVED = {"admin", "apicharge", "gate", "llms.txt", "openapi.json", "problems", "services"}
RESERVED |= {"static", ".well-known"}


class WriteOnly(forms.Textarea):
    """What is typed here is never shown again, not even after an error."""

    def format_value(self, value: object) -> None:
        return None


class ServiceForm(ModelForm[Service]):
    new_tls_key = forms.CharField(
        label="its private key",
        required=False,
        max_length=PEM_LENGTH_MAX,
        widget=WriteOnly(attrs=PEM),
        help_text="PEM, without a passphrase. Never shown again. Empty: the saved one stays.",
    )

    class Meta:
        model = Service
        fields = [
            "provider",
            "category",
            "name",
            "slug",
            "tagline",
            "description",
            "state",
            "host",
            "root_path",
            "connect_ms",
            "first_byte_ms",
            "idle_ms",
            "balancing",
            "health_path",
            "health_interval_ms",
            "health_timeout_ms",
            "unhealthy_after",
            "healthy_after",
            "tls_ca",
            "tls_certificate",
        ]
        widgets = {
            "tagline": forms.TextInput(attrs={"class": "vLargeTextField"}),
            "description": forms.Textarea(attrs={"rows": 12, "class": "vLargeTextField"}),
            "tls_ca": forms.Textarea(attrs=PEM),
            "tls_certificate": forms.Textarea(attrs=PEM),
        }

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

    def clean_health_path(self) -> str:
        path = str(self.cleaned_data["health_path"])
        try:
            exact = canonical(path.encode()).decode() if path else ""
        except AmbiguousPath as exc:
            raise ValidationError(f"This path cannot be asked for: {exc}.") from exc
        if "?" in path or "#" in path or exact != path:
            raise ValidationError("A path such as /health, without a query.")
        return path

    def clean_tls_ca(self) -> str:
        authorities = str(self.cleaned_data["tls_ca"])
        if authorities and not _is_usable(Tls(authorities=authorities.encode())):
            raise ValidationError("One or more certificates in PEM: -----BEGIN CERTIFICATE----- …")
        return authorities

    def _clean_identity(self) -> None:
        """The key that is saved stays, unless another comes or its certificate goes."""
        cleaned = self.cleaned_data
        certificate = cleaned.get("tls_certificate", "")
        key = str(cleaned.get("new_tls_key") or (certificate and self.instance.tls_key))
        if key and not certificate:
            self.add_error("tls_certificate", "The key's certificate is missing.")
        elif certificate and not key:
            self.add_error("new_tls_key", "The certificate's key is missing.")
        elif certificate and not is_usable(Tls(identity=f"{certificate}\n{key}".encode())):
            self.add_error("tls_certificate", "This is no certificate in PEM with its own key.")
        else:
            self.instance.tls_key = key

    def clean(self) -> dict[str, object]:
        cleaned: dict[str, object] = super().clean() or self.cleaned_data
        self._clean_identity()
        interval, wait = cleaned.get("health_interval_ms"), cleaned.get("health_timeout_ms")
        if isinstance(interval, int) and isinstance(wait, int) and wait > interval:
            self.add_error("health_timeout_ms", "A check must be over before the next one begins.")
        moved = {"slug", "host", "root_path"} & set(self.changed_data)
        hidden = "state" in self.changed_data and cleaned.get("state") == Service.State.DRAFT
        if self.instance.pk and (moved or hidden):
            self._check_not_held(min(moved, default="state"))
        return cleaned

    def _check_not_held(self, field: str) -> None:
        routes = list(
            Route.objects.standing().filter(service=self.instance.pk).select_related("service")
        )
        held = holding.hold(routes, timezone.now().timestamp()) if routes else None
        if held and field == "state":
            self.add_error("state", f"{held.words()}. Withdraw the service: that ends sales only.")
        elif held:
            self.add_error(field, f"This address is in use: {held.words()}.")


def _is_usable(authorities: Tls) -> bool:
    try:
        ssl.create_default_context(cadata=authorities.authorities.decode())
    except (ssl.SSLError, ValueError):
        return False
    return is_usable(authorities)


def refusal(url: str) -> str | None:
    """Why this upstream may not be called; None where it may. Asks the name service."""
    try:
        check_upstream(url, Policy.of(settings.UPSTREAM_NETWORKS))
    except (AddressRefused, Unresolvable) as exc:
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
