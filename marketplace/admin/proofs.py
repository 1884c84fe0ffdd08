"""A provider's domain: named here, checked at once."""

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from marketplace import proving
from marketplace.admin.generic import FieldGroups, ModelForm
from marketplace.admin.scoping import OwnRowsAdmin, seller
from marketplace.models import DomainProof, Provider

SEEN = ("instructions", "verified", "proven_at", "checked_at", "problem")


class ProofForm(ModelForm[DomainProof]):
    class Meta:
        model = DomainProof
        fields = ["provider", "domain"]

    def clean_domain(self) -> str:
        return str(self.cleaned_data["domain"]).strip().lower()


@admin.register(DomainProof)
class DomainProofAdmin(OwnRowsAdmin[DomainProof]):
    owner_path = "provider"
    form = ProofForm
    list_display = ["domain", "provider", "verified", "checked_at", "problem"]
    list_select_related = ["provider"]
    readonly_fields = SEEN

    def get_fields(self, request: HttpRequest, obj: DomainProof | None = None) -> FieldGroups:
        named = ("domain",) if seller(request) is not None else ("provider", "domain")
        return (*named, *SEEN) if obj else named

    def has_add_permission(self, request: HttpRequest) -> bool:
        owner = seller(request)
        has_one = owner is not None and hasattr(owner, "proof")
        return super().has_add_permission(request) and not has_one

    @admin.display(boolean=True)
    def verified(self, proof: DomainProof) -> bool:
        return proof.holds

    @admin.display(description="how to prove it")
    def instructions(self, proof: DomainProof) -> SafeString:
        told = (
            "Make a TXT record named <code>{}</code>, or a file at <code>{}</code>, that says "
            "<code>{}</code>; then save again."
        )
        return format_html(told, proof.record, proof.address, proof.line)

    def save_model(
        self, request: HttpRequest, obj: DomainProof, form: ModelForm[DomainProof], change: bool
    ) -> None:
        owner = seller(request)
        if owner is not None:
            obj.provider = Provider.objects.get(pk=owner.pk)
        if "domain" in form.changed_data:
            obj.proven_at = obj.checked_at = None
        super().save_model(request, obj, form, change)
        proving.note(obj.provider)
        if change:
            transaction.on_commit(lambda: self._check(request, obj))

    def delete_model(self, request: HttpRequest, obj: DomainProof) -> None:
        super().delete_model(request, obj)
        proving.note(obj.provider)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[DomainProof]) -> None:
        gone = [proof.provider for proof in queryset.select_related("provider")]
        super().delete_queryset(request, queryset)
        for provider in gone:
            proving.note(provider)

    def _check(self, request: HttpRequest, proof: DomainProof) -> None:
        if proving.check(proof, timezone.now()):
            messages.success(request, f"{proof.domain} is proven to be yours.")
        else:
            messages.warning(request, f"{proof.domain} is not proven yet: {proof.problem}")

    def response_add(
        self,
        request: HttpRequest,
        obj: DomainProof,
        post_url_continue: str | None = None,
    ) -> HttpResponse:
        """To the page that says what to do now."""
        return redirect(reverse("admin:marketplace_domainproof_change", args=[obj.pk]))
