"""A service's OpenAPI document: brought in, and made into routes."""

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from gateway.addresses import AddressRefused, Unresolvable
from marketplace import fetching, importing, starting
from marketplace.admin import desk
from marketplace.admin.service import ServiceAdmin
from marketplace.console import Screen
from marketplace.domain import structured
from marketplace.domain.openapi import Document
from marketplace.models import ApiDocument, Service

Source = ApiDocument.Source
FAULTS = (structured.Malformed, fetching.Unfetched, AddressRefused, Unresolvable)


class DocumentForm(forms.Form):
    """One of three ways; the document is read while the form is checked."""

    file = forms.FileField(label=gettext_lazy("A file"), required=False)
    url = forms.CharField(label=gettext_lazy("or its address"), required=False, max_length=500)
    text = forms.CharField(
        label=gettext_lazy("or the text itself"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 6, "class": "code", "spellcheck": "false"}),
    )

    document: Document
    source: ApiDocument.Source

    def clean(self) -> dict[str, object]:
        cleaned: dict[str, object] = super().clean() or self.cleaned_data
        try:
            self._read(cleaned)
        except FAULTS as exc:
            raise ValidationError(str(exc)) from exc
        return cleaned

    def _read(self, cleaned: dict[str, object]) -> None:
        file, url, text = self.cleaned_data.get("file"), cleaned.get("url"), cleaned.get("text")
        if file is not None:
            self.document = importing.read(file.read(structured.BYTES_MAX + 1))
            self.source = Source.UPLOAD
        elif url:
            self.document, self.source = importing.fetch(str(url).strip()), Source.ADDRESS
        elif text:
            self.document, self.source = importing.read(str(text).encode()), Source.PASTE
        else:
            raise ValidationError(_("Choose a file, name an address or paste the text."))


def document(request: HttpRequest, pk: int) -> HttpResponse:
    service = own_service(request, pk)
    form = DocumentForm()
    if request.method == "POST" and "routes" in request.POST:
        return _routes(request, service)
    if request.method == "POST":
        form = DocumentForm(request.POST, request.FILES)
        if form.is_valid():
            url = str(form.cleaned_data["url"]) if form.source == Source.ADDRESS else ""
            kept = importing.keep(service, form.document, form.source, url)
            messages.success(request, _("%(title)s is imported.") % {"title": kept.title})
            return _back(pk)
    return desk.page(
        request,
        "admin/marketplace/document.html",
        title=_("OpenAPI document"),
        service=service,
        form=form,
        current=ApiDocument.objects.filter(service=service, is_current=True).first(),
        offered=starting.proposals(service),
    )


def own_service(request: HttpRequest, pk: int) -> Service:
    """By the rules of the service's own page."""
    shown = admin.site.get_model_admin(Service)
    assert isinstance(shown, ServiceAdmin)
    service = shown.get_object(request, str(pk))
    if service is None or not shown.has_change_permission(request, service):
        raise Http404
    return service


def _routes(request: HttpRequest, service: Service) -> HttpResponse:
    try:
        made = starting.make_routes(service, request.POST.getlist("slug"))
    except starting.NotPossible as exc:
        messages.error(request, str(exc))
        return _back(service.pk)
    names = ", ".join(route.identifier for route in made)
    shown = admin.site.get_model_admin(Service)
    shown.log_change(request, service, f"Made routes from the OpenAPI document: {names}")
    messages.success(request, _("Made: %(names)s") % {"names": names})
    return HttpResponseRedirect(f"{reverse('admin:start')}?service={service.slug}")


def _back(pk: int) -> HttpResponse:
    return HttpResponseRedirect(reverse("admin:service_document", args=[pk]))


admin.site.screens.append(  # type: ignore[attr-defined]
    Screen("service_document", "marketplace/service/<int:pk>/document/", document)
)
