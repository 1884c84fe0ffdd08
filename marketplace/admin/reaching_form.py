"""The part of a service's form that says how its upstreams are called."""

import ssl
from collections.abc import Callable

from django import forms
from django.core.exceptions import ValidationError

from gateway.building import is_usable
from gateway.domain import transforms
from gateway.domain.clusters import Tls
from gateway.domain.paths import AmbiguousPath, canonical
from marketplace.admin.guard_form import GuardForm
from marketplace.models import Service
from marketplace.reaching import PEM_LENGTH_MAX

PEM = {"rows": 4, "class": "vLargeTextField", "spellcheck": "false", "autocomplete": "off"}
LINES = ("request_set", "request_remove", "response_set", "response_remove")


class WriteOnly(forms.Textarea):
    """What is typed here is never shown again, not even after an error."""

    def format_value(self, value: object) -> None:
        return None


class ReachingForm(GuardForm[Service]):
    new_tls_key = forms.CharField(
        label="its private key",
        required=False,
        max_length=PEM_LENGTH_MAX,
        widget=WriteOnly(attrs=PEM),
        help_text="PEM, without a passphrase. Never shown again. Empty: the saved one stays.",
    )

    new_credential = forms.CharField(
        label="your key",
        required=False,
        max_length=transforms.VALUE_LENGTH_MAX,
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "class": "vTextField"}),
        help_text="As it is sent, such as Bearer …. Never shown again. Empty: the saved one stays.",
    )

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

    def clean_strip_prefix(self) -> str:
        return _read(transforms.prefix_of, str(self.cleaned_data["strip_prefix"]))

    def clean_add_prefix(self) -> str:
        return _read(transforms.prefix_of, str(self.cleaned_data["add_prefix"]))

    def clean_upstream_host(self) -> str:
        return _read(transforms.host_of, str(self.cleaned_data["upstream_host"]))

    def clean_request_set(self) -> str:
        return self._set("request_set")

    def clean_response_set(self) -> str:
        return self._set("response_set")

    def clean_request_remove(self) -> str:
        return _read_lines(transforms.header_name, str(self.cleaned_data["request_remove"]))

    def clean_response_remove(self) -> str:
        return _read_lines(transforms.header_name, str(self.cleaned_data["response_remove"]))

    def _set(self, field: str) -> str:
        def line(text: str) -> str:
            return ": ".join(transforms.header_line(text))

        return _read_lines(line, str(self.cleaned_data[field]))

    def _clean_credential(self) -> None:
        """The value that is saved stays, unless another comes or the credential goes."""
        cleaned = self.cleaned_data
        place, name = str(cleaned.get("credential_in") or ""), str(cleaned.get("credential_name"))
        value = str(cleaned.get("new_credential") or self.instance.credential_value)
        if not place:
            self.instance.credential_value = cleaned["credential_name"] = ""
            return
        if not value:
            self.add_error("new_credential", "The key is missing.")
            return
        try:
            transforms.credential_of(place, name, value)
        except transforms.TransformError as exc:
            self.add_error("credential_name", str(exc))
        else:
            self.instance.credential_value = value

    def clean(self) -> dict[str, object]:
        cleaned: dict[str, object] = super().clean() or self.cleaned_data
        interval, wait = cleaned.get("health_interval_ms"), cleaned.get("health_timeout_ms")
        if isinstance(interval, int) and isinstance(wait, int) and wait > interval:
            self.add_error("health_timeout_ms", "A check must be over before the next one begins.")
        if cleaned.get("keeps_host") and cleaned.get("upstream_host"):
            self.add_error("upstream_host", "Either the Host that was called, or this one.")
        self._clean_identity()
        self._clean_credential()
        return cleaned


def _read(reader: Callable[[str], str], text: str) -> str:
    try:
        return reader(text)
    except transforms.TransformError as exc:
        raise ValidationError(str(exc)) from exc


def _read_lines(reader: Callable[[str], str], text: str) -> str:
    lines = [_read(reader, line) for line in text.splitlines() if line.strip()]
    if len(lines) > transforms.HEADERS_MAX:
        raise ValidationError(f"At most {transforms.HEADERS_MAX} lines.")
    return "\n".join(lines)


def _is_usable(authorities: Tls) -> bool:
    try:
        ssl.create_default_context(cadata=authorities.authorities.decode())
    except (ssl.SSLError, ValueError):
        return False
    return is_usable(authorities)
