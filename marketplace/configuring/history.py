"""Every configuration that was applied, and what was there before it."""

from collections.abc import Sequence

from django.db.models import QuerySet

from marketplace.domain import configurations
from marketplace.domain.configurations import Change
from marketplace.domain.quotes import JsonObject
from marketplace.models import Configuration, Provider

FORMS = "What was there before, by the console's forms"


def history(provider: Provider) -> "QuerySet[Configuration]":
    return Configuration.objects.filter(provider=provider).order_by("-number")


def keep_what_is_there(provider: Provider, document: JsonObject) -> None:
    """Forms change rows one by one; where they did, that is a step of its own."""
    newest = history(provider).first()
    now = configurations.digest(document)
    if newest is None or newest.digest != now:
        before = None if newest is None else newest.document
        done = [] if before is None else configurations.changes(before, document)
        keep(provider, document, done, actor="", reason=FORMS)


def keep(
    provider: Provider,
    document: JsonObject,
    done: Sequence[Change],
    *,
    actor: str,
    reason: str,
) -> Configuration:
    newest = history(provider).first()
    return Configuration.objects.create(
        provider=provider,
        number=1 if newest is None else newest.number + 1,
        document=document,
        digest=configurations.digest(document),
        changes=[str(change) for change in done],
        actor=actor[:150],
        reason=reason[:200],
    )
