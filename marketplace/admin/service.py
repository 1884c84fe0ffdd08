"""Services with their upstreams and routes, the test of an upstream, and the shared secret."""

import re
import secrets
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin import RelatedOnlyFieldListFilter
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import ForeignKey, Model, Q, QuerySet
from django.forms import BaseInlineFormSet, Form, ModelChoiceField, ModelForm
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from accounts.memberships import organisations_of
from accounts.models import Organisation
from gateway.addresses import Policy
from marketplace import compiling, probing, publishing
from marketplace.admin.generic import FieldOptions, Fieldsets
from marketplace.admin.guard_form import GUARDS
from marketplace.admin.route_form import InlineRouteForm, RouteFormSet
from marketplace.admin.scoping import OwnRowsInline, PublishedAdmin, seller
from marketplace.admin.service_form import ServiceForm, UpstreamForm, UpstreamFormSet, refusal
from marketplace.models import Route, Service, Upstream

SECRET_BYTES = 32
UPSTREAMS_MAX = 16  # Each new one is a question to the name service.
UPSTREAM_FIELD = re.compile(r"upstreams-\d+-url")
SECRET_FIELDS = ("new_tls_key", "new_credential")
REFUSALS = "apicharge_refusals"
PRESENTED = ("name", "slug", "category", "tagline", "description", "refunds")
FROM_PAGES: FieldOptions = {"fields": ["allowed_origins"], "classes": ["collapse"]}
STAFF_FIELDS: FieldOptions = {"fields": ["host", "root_path"], "classes": ["collapse"]}

SEVERAL: FieldOptions = {
    "fields": [
        "balancing",
        ("health_path", "health_interval_ms", "health_timeout_ms"),
        ("unhealthy_after", "healthy_after"),
    ],
    "classes": ["collapse"],
    "description": "An upstream that cannot be reached, or only answers errors, is left alone for "
    "some seconds without being asked; a health check finds it ill before a call does.",
}

TLS: FieldOptions = {
    "fields": ["tls_ca", "tls_certificate", "new_tls_key"],
    "classes": ["collapse"],
    "description": "For an API whose certificate is signed by an authority of your own, or that "
    "asks the gate for a certificate.",
}

CREDENTIAL: FieldOptions = {
    "fields": ["credential_in", ("credential_name", "new_credential")],
    "classes": ["collapse"],
    "description": "The gate adds it to each call, so that callers need not, and cannot, know it.",
}
CHANGES: FieldOptions = {
    "fields": [
        ("strip_prefix", "add_prefix"),
        ("keeps_host", "upstream_host"),
        ("request_set", "request_remove"),
        ("response_set", "response_remove"),
        "trailers",
    ],
    "classes": ["collapse"],
}


class UpstreamInline(OwnRowsInline[Upstream, Service]):
    model = Upstream
    form = UpstreamForm
    max_num = UPSTREAMS_MAX
    formset = UpstreamFormSet  # type: ignore[assignment]  # The stubs want exactly ModelForm.
    fields = ["url", "weight", "test"]
    readonly_fields = ["test"]

    def get_extra(self, request: HttpRequest, obj: Service | None = None, **_: object) -> int:
        return 0 if obj else 1

    def get_formset(
        self, request: HttpRequest, obj: Service | None = None, **options: object
    ) -> "type[BaseInlineFormSet[Upstream, Service, ModelForm[Upstream]]]":
        formset = super().get_formset(request, obj, **options)
        setattr(formset.form, "refusals", getattr(request, REFUSALS, {}))  # noqa: B010
        return formset

    @admin.display(description="")
    def test(self, upstream: Upstream) -> str:
        if not upstream.pk:
            return "Can be tested once it is saved."
        return format_html(
            '<button class="button" formaction="../upstreams/{}/test/" formnovalidate>'
            "Test this upstream</button>",
            upstream.pk,
        )


class RouteInline(OwnRowsInline[Route, Service]):
    model = Route
    form = InlineRouteForm
    formset = RouteFormSet  # type: ignore[assignment]
    fields = ["name", "slug", "path", "methods"]
    can_delete = False
    show_change_link = True

    def get_extra(self, request: HttpRequest, obj: Service | None = None, **_: object) -> int:
        return 0 if obj else 1

    def get_queryset(self, request: HttpRequest) -> QuerySet[Route]:
        return super().get_queryset(request).filter(removed_at=None).select_related("service")


@admin.register(Service)
class ServiceAdmin(PublishedAdmin[Service]):
    owner_path = "provider"
    form = ServiceForm
    list_display = ["name", "slug", "state", "visibility", "category", "provider", "updated_at"]
    list_filter = ["state", ("category", RelatedOnlyFieldListFilter)]
    staff_ordering = ["-pk"]
    list_select_related = ["category", "provider"]
    search_fields = ["name", "slug", "tagline"]
    inlines = [UpstreamInline, RouteInline]
    readonly_fields = ["shown_secret"]

    @method_decorator(sensitive_post_parameters(*SECRET_FIELDS))
    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Ask the name service first: on SQLite nobody else writes while the form is saved."""
        if request.method == "POST":
            typed = {
                value.strip()
                for name, value in request.POST.items()
                if isinstance(value, str) and UPSTREAM_FIELD.fullmatch(name) and value.strip()
            }
            saved = set(Upstream.objects.filter(url__in=typed).values_list("url", flat=True))
            new = sorted(typed - saved)[:UPSTREAMS_MAX]
            setattr(request, REFUSALS, {url: refusal(url) for url in new})
        return super().changeform_view(request, object_id, form_url, extra_context)

    def get_fieldsets(self, request: HttpRequest, obj: Service | None = None) -> Fieldsets:
        own = seller(request) is not None
        first = (*PRESENTED, "tags", "protocols", "regions", "state", "visibility", "organisation")
        sets: list[tuple[str | None, FieldOptions]] = [
            (None, {"fields": first if own else ("provider", *first)}),
        ]
        if not own:
            sets.append(("First page", {"fields": ["featured"]}))
            sets.append(("Addresses of its own", STAFF_FIELDS))
        if obj is not None:
            signed = "Your API can check that a call came through the gate, and who made it."
            sets.append(("Signed identity", {"fields": ["shown_secret"], "description": signed}))
        waits: FieldOptions = {
            "fields": [("connect_ms", "first_byte_ms", "idle_ms")],
            "classes": ["collapse"],
        }
        return [
            *sets,
            ("How long the gate waits for your API (ms)", waits),
            ("Guards", GUARDS),
            ("Several upstreams", SEVERAL),
            ("TLS to your API", TLS),
            ("Your API's own key", CREDENTIAL),
            ("Changes on the way", CHANGES),
            ("WebSocket from web pages", FROM_PAGES),
        ]

    def formfield_for_foreignkey(
        self, db_field: "ForeignKey[Model]", request: HttpRequest, **kwargs: object
    ) -> "ModelChoiceField[Model] | None":
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        owner = seller(request)
        if db_field.name == "organisation" and field is not None and owner is not None:
            known = Q(pk__in=organisations_of(request.user)) | Q(services__provider=owner)
            field.queryset = Organisation.objects.filter(known).distinct()
        return field

    def get_prepopulated_fields(
        self, request: HttpRequest, obj: Service | None = None
    ) -> dict[str, Sequence[str]]:
        return {} if obj else {"slug": ("name",)}

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<int:pk>/secret/", wrap(require_POST(self.new_secret)), name="service_secret"),
            path("<int:pk>/upstreams/<int:upstream>/test/", wrap(require_POST(self.test_upstream))),
            *super().get_urls(),
        ]

    def save_model(self, request: HttpRequest, obj: Service, form: Form, change: bool) -> None:
        owner = seller(request)
        if owner is not None:
            obj.provider = owner
        super().save_model(request, obj, form, change)
        if isinstance(form, ServiceForm) and form.binds_later:
            messages.warning(request, form.binds_later)

    def delete_model(self, request: HttpRequest, obj: Service) -> None:
        with transaction.atomic():
            deleted = obj.pk
            super().delete_model(request, obj)
            publishing.publish([deleted])

    @admin.display(description="shared secret")
    def shown_secret(self, service: Service) -> str:
        masked = f"••••••••{service.secret[-4:]}" if service.secret else "none yet"
        act = "Make a new secret" if service.secret else "Make a secret"
        return format_html(
            '<span class="secret">{}</span> <button class="button" formaction="../secret/" '
            "formnovalidate>{}</button>",
            masked,
            act,
        )

    def new_secret(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Shown on this one page; afterwards its last four digits only."""
        service = self._own(request, pk)
        secret = secrets.token_hex(SECRET_BYTES)
        with transaction.atomic():
            Service.objects.filter(pk=service.pk).update(secret=secret)
            publishing.publish([service.pk])
        self.log_change(request, service, "Made a new shared secret.")
        return self._page(request, service, "admin/marketplace/secret.html", secret=secret)

    def test_upstream(self, request: HttpRequest, pk: int, upstream: int) -> HttpResponse:
        service = self._own(request, pk)
        row = Upstream.objects.filter(service=service, pk=upstream).first()
        if row is None:
            raise Http404
        tls = probing.Shown(service.tls_ca, service.tls_certificate, service.tls_key)
        changes = compiling.read_transform(service)
        policy = Policy.of(settings.UPSTREAM_NETWORKS, settings.OWN_ADDRESSES)
        outcome = probing.probe(row.url, policy, tls, changes)
        answered = outcome if isinstance(outcome, probing.Answered) else None
        return self._page(
            request,
            service,
            "admin/marketplace/upstream_test.html",
            upstream=row,
            answered=answered,
            failed=None if answered else outcome,
        )

    def _own(self, request: HttpRequest, pk: int) -> Service:
        service = self.get_object(request, str(pk))
        if service is None:
            raise Http404
        if not self.has_change_permission(request, service):
            raise PermissionDenied
        return service

    def _page(
        self, request: HttpRequest, service: Service, template: str, **context: object
    ) -> HttpResponse:
        shown = {**self.admin_site.each_context(request), "service": service, "opts": self.opts}
        return TemplateResponse(request, template, {**shown, **context})
