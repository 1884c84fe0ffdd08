"""Rows that can be taken away: `export.csv`, `export.json`, `?since=`, `?until=`, `?after=`.

Streamed a page at a time, so that neither the process nor the database holds a file in memory.
"""

import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime
from typing import TypeVar
from urllib.parse import urlencode

from asgiref.sync import sync_to_async
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponseBadRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path

from billing import auditing, exporting
from billing.domain.sheets import MEDIA_TYPES, Format
from billing.exporting import BOOKS, Wanted
from marketplace.admin.generic import ModelAdmin

M = TypeVar("M", bound=Model)


class Exported(ModelAdmin[M]):
    """Whoever may view the rows may take them away, and that is audited."""

    book: str
    change_list_template = "admin/billing/exported_list.html"
    show_full_result_count = False

    def get_urls(self) -> list[URLPattern]:
        exports = [
            path(f"export.{each}", self._view(each), name=f"billing_export_{self.book}_{each}")
            for each in Format
        ]
        return [*exports, *super().get_urls()]

    def _view(self, format_: Format) -> Callable[..., HttpResponseBase]:
        def view(request: HttpRequest) -> HttpResponseBase:
            if not self.has_view_permission(request):
                raise PermissionDenied
            return answer(request, self.book, format_, self.get_queryset(request))

        return self.admin_site.admin_view(view)


def answer(
    request: HttpRequest, book: str, format_: Format, visible: QuerySet[M]
) -> HttpResponseBase:
    try:
        wanted = Wanted(
            BOOKS[book],
            format_,
            since_s=_day(request.GET.get("since")),
            until_s=_day(request.GET.get("until")),
            after=_key(BOOKS[book].model, request.GET.get("after", "")),
            visible=visible,
        )
    except (ValueError, ValidationError):
        return HttpResponseBadRequest(
            "since and until are days (2026-11-21), after is a row's key."
        )
    with transaction.atomic():
        auditing.record(
            action=f"export.{book}",
            subject=f"{format_} after {wanted.after}",
            now_s=time.time(),
            actor=request.user.get_username(),
            detail={
                name: request.GET[name][:40] for name in ("since", "until") if name in request.GET
            },
        )
    response = StreamingHttpResponse(_streamed(wanted), content_type=MEDIA_TYPES[format_])
    response["Content-Disposition"] = f'attachment; filename="{book}.{format_}"'
    if (last := exporting.last_of_file(wanted)) is not None:
        query = urlencode({**request.GET.dict(), "after": last})
        response["Link"] = f'<{request.path}?{query}>; rel="next"'
    return response


async def _streamed(wanted: Wanted) -> AsyncIterator[str]:
    chunks = exporting.chunks(wanted, rows_max=exporting.ROWS_PER_FILE)

    def following() -> str | None:
        return next(chunks, None)

    while (chunk := await sync_to_async(following)()) is not None:
        yield chunk


def _key(model: type[Model], text: str) -> str:
    """`text`, if it could be a key of theirs."""
    assert model._meta.pk is not None  # noqa: SLF001 - Django's name for it
    return text and str(model._meta.pk.to_python(text))  # noqa: SLF001 - as above


def _day(text: str | None) -> int | None:
    if not text:
        return None
    day = date.fromisoformat(text)
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
