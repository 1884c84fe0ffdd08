"""Services are found by tags, and by what their documents say of operations."""

from collections.abc import Iterator
from typing import Any

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from marketplace.domain.words import distinct

METHODS = ("get", "head", "post", "put", "patch", "delete", "options")
LENGTH_MAX = 8_000


def read_documents(apps: StateApps, _editor: BaseDatabaseSchemaEditor) -> None:
    documents = apps.get_model("marketplace", "ApiDocument").objects.filter(is_current=True)
    for pk in list(documents.values_list("pk", flat=True)):
        body = documents.values_list("body", flat=True).get(pk=pk)
        streams = any(kind.startswith("text/event-stream") for kind in _kinds(body))
        documents.filter(pk=pk).update(words=distinct(_said(body), LENGTH_MAX), streams=streams)


def _operations(body: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for path, item in body["paths"].items():
        yield from ((path, item[method]) for method in METHODS if method in item)


def _kinds(body: dict[str, Any]) -> Iterator[str]:
    for _path, operation in _operations(body):
        for answer in operation["responses"].values():
            yield from answer.get("content", {})


def _said(body: dict[str, Any]) -> Iterator[str]:
    for path, operation in _operations(body):
        yield f"{' '.join(operation['tags'][:1])} {operation['summary']} {path}"


class Migration(migrations.Migration):
    dependencies = [
        ("marketplace", "0023_services_by_visibility"),
    ]

    operations = [
        migrations.AddField(
            model_name="service",
            name="tags",
            field=models.JSONField(
                blank=True,
                db_default=[],
                default=list,
                help_text="What it is found by, beside what is said elsewhere.",
            ),
        ),
        migrations.AddField(
            model_name="apidocument",
            name="words",
            field=models.TextField(blank=True, db_default="", default=""),
        ),
        migrations.AddField(
            model_name="apidocument",
            name="streams",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.RunPython(read_documents, migrations.RunPython.noop),
    ]
