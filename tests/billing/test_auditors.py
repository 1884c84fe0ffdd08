"""An auditor reads everything that is ours, and changes nothing."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client
from django.urls import reverse

from billing import auditing, auditors
from billing.models import AuditEntry
from tests.marketplace import shop as catalogue

MODELS = sorted(
    (model for model in admin.site._registry if model._meta.app_label in auditors.APPS),
    key=lambda model: model._meta.label,
)
IDS = [model._meta.label for model in MODELS]


@pytest.fixture
def auditor(db: None) -> Client:
    catalogue.stall()
    user = User.objects.create_user("auditor", is_staff=True)
    user.groups.add(auditors.ensure())
    client = Client()
    client.force_login(user)
    return client


@pytest.mark.parametrize("model", MODELS, ids=IDS)
def test_auditor_reads_and_may_change_nothing(auditor: Client, model: type) -> None:
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    assert auditor.get(reverse(f"{name}_changelist")).status_code == 200
    assert auditor.get(reverse(f"{name}_add")).status_code == 403
    assert auditor.post(reverse(f"{name}_add"), {}).status_code == 403
    row = model._default_manager.first()
    if row is not None:
        assert auditor.get(reverse(f"{name}_change", args=[row.pk])).status_code == 200
        assert auditor.post(reverse(f"{name}_change", args=[row.pk]), {}).status_code == 403
        assert auditor.post(reverse(f"{name}_delete", args=[row.pk]), {}).status_code == 403


def test_auditor_verifies_the_chain(auditor: Client) -> None:
    with transaction.atomic():
        auditing.record(action="test.act", subject="x", now_s=1.0, detail={})
    said = auditor.post(reverse("admin:audit_verify"), follow=True)
    assert f"The chain is intact: {AuditEntry.objects.count()} entries." in said.content.decode()
    assert auditor.get(reverse("admin:audit_verify")).status_code == 405


def test_auditor_reads_queue_and_status_and_decides_nothing(auditor: Client) -> None:
    assert auditor.get(reverse("admin:queue")).status_code == 200
    assert auditor.get(reverse("admin:status")).status_code == 200
    assert auditor.post(reverse("admin:queue"), {"service": 1, "act": "approve"}).status_code == 403


def test_group_follows_the_models_there_are(db: None) -> None:
    group = auditors.ensure()
    assert auditors.ensure() == group
    names = {permission.codename.split("_")[0] for permission in group.permissions.all()}
    assert names == {"view"}
