"""A provider's OpenAPI document: read within bounds, kept version by version.

    document = importing.read(text)          # or importing.fetch(url)
    proposals = propose_routes(document)     # domain/proposing.py
    importing.keep(service, document, Source.UPLOAD)

`read` and `fetch` raise `structured.Malformed`, the latter `fetching.Unfetched` too: both in words
for the provider. Who may import for a service is for the caller to say.
"""

import hashlib
import json
from collections.abc import Iterator

from django.conf import settings
from django.db import transaction
from django.db.models import Max

from gateway.addresses import Policy
from marketplace import fetching, listing
from marketplace.domain import openapi, structured
from marketplace.domain.openapi import Document
from marketplace.domain.words import distinct
from marketplace.models import ApiDocument, Service

Source = ApiDocument.Source
KEPT = 20
"""Versions of one service; older ones go."""
WORDS_LENGTH_MAX = 8_000
"""Of one document, that its service is found by."""


def read(text: bytes) -> Document:
    return openapi.document(structured.read(text))


def fetch(url: str) -> Document:
    """Blocks on the network, so never within a transaction."""
    policy = Policy.of(settings.UPSTREAM_NETWORKS, settings.OWN_ADDRESSES)
    return read(fetching.fetch(url, policy, structured.BYTES_MAX))


def keep(service: Service, document: Document, source: Source, url: str = "") -> ApiDocument:
    """As the service's current version, which it is found by; the same again is no new one."""
    row = _keep(service, document, source, url)
    listing.refresh([service.pk])
    return row


def _keep(service: Service, document: Document, source: Source, url: str) -> ApiDocument:
    written = json.dumps([document.body, document.servers], sort_keys=True)
    digest = hashlib.sha256(written.encode()).hexdigest()
    with transaction.atomic():
        Service.objects.select_for_update().get(pk=service.pk)
        known = ApiDocument.objects.filter(service=service)
        current = known.filter(is_current=True).first()
        if current is not None and current.digest == digest:
            return current
        newest = known.aggregate(newest=Max("version"))["newest"] or 0
        known.filter(is_current=True).update(is_current=False)
        known.filter(version__lte=newest + 1 - KEPT).delete()
        return ApiDocument.objects.create(
            service=service,
            version=newest + 1,
            title=document.title,
            api_version=document.version,
            source=source,
            source_url=url,
            servers=list(document.servers),
            body=document.body,
            operation_count=len(document.operations),
            words=distinct(_said(document), WORDS_LENGTH_MAX),
            streams=any(each.streams for each in document.operations),
            digest=digest,
        )


def _said(document: Document) -> Iterator[str]:
    for each in document.operations:
        yield f"{each.tag} {each.summary} {each.path}"


def current(service: Service) -> Document | None:
    """What buyers may see of the service's API, where its provider imported a document."""
    row = ApiDocument.objects.filter(service=service, is_current=True).first()
    return None if row is None else kept(row)


def kept(row: ApiDocument) -> Document:
    return Document(row.title, row.api_version, row.body, openapi.operations(row.body))
