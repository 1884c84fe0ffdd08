"""Every address of the site, walked off its URL patterns: a new page joins by itself.

What a pattern names is told by market/__init__.py; what is not told there is the first of its kind.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from allauth.account.forms import default_token_generator
from allauth.account.models import EmailConfirmationHMAC
from allauth.account.utils import user_pk_to_url_str
from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import Model
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver, reverse

ARGUMENT = re.compile(r"<(?:[a-z]+:)?(\w+)>")
# Not addresses of pages of ours, and one that ends the session of whoever walks.
SILENT = ("apicharge/", ".well-known/", "admin/(?P<url>", "admin/logout/", "admin/r/")
Values = Mapping[str, Mapping[str, object]]


def patterns(
    of: Iterable[URLPattern | URLResolver] | None = None, before: str = ""
) -> Iterator[str]:
    for each in get_resolver().url_patterns if of is None else of:
        if isinstance(each, URLResolver):
            yield from patterns(each.url_patterns, before + str(each.pattern))
        else:
            yield before + str(each.pattern)


def spelled(user: User) -> Mapping[str, str]:
    """Patterns that are regular expressions, with an address of each."""
    [email] = user.emailaddress_set.all()
    key = EmailConfirmationHMAC(email).key
    reset = [user_pk_to_url_str(user), default_token_generator.make_token(user)]
    return {
        "accounts/^confirm-email/": reverse("account_confirm_email", args=[key]),
        "accounts/^password/reset/": reverse("account_reset_password_from_key", args=reset),
        "admin/^(?P<app_label>": reverse("admin:app_list", args=["billing"]),
    }


def of_site(values: Values, user: User) -> Iterator[str]:
    known = spelled(user)
    for pattern in patterns():
        if pattern.startswith((*SILENT, "admin/")):
            continue
        if "(?P<" in pattern:
            yield next(known[each] for each in known if pattern.startswith(each))
        else:
            yield filled(pattern, _longest(values, pattern))


def of_console(values: Values, user: User) -> Iterator[str]:
    """As far as this user has a row for it."""
    rows = first_rows(user)
    for pattern in patterns():
        if not pattern.startswith("admin/") or pattern.startswith(SILENT):
            continue
        if pattern.endswith("/<path:object_id>/"):  # Leads to its /change/.
            continue
        if "(?P<" in pattern:
            yield reverse("admin:app_list", args=["billing"])
            continue
        named = "/".join(pattern.split("/")[1:3])
        row = rows.get(named)
        given = dict.fromkeys(("object_id", "id", "pk"), row.pk) if row else {}
        given |= _longest(values, pattern)
        if set(ARGUMENT.findall(pattern)) <= set(given):
            yield filled(pattern, given)


def first_rows(user: User) -> Mapping[str, Model]:
    """By application and model, of what the console shows to this user."""
    request: HttpRequest = RequestFactory().get("/admin/")
    request.user = user
    found = {}
    for model, desk in admin.site._registry.items():
        row = desk.get_queryset(request).first()
        if row is not None:
            found[f"{model._meta.app_label}/{model._meta.model_name}"] = row
    return found


def _longest(values: Values, pattern: str) -> Mapping[str, object]:
    fitting = [before for before in values if pattern.startswith(before)]
    return values[max(fitting, key=len)] if fitting else {}


def filled(pattern: str, given: Mapping[str, object]) -> str:
    return "/" + ARGUMENT.sub(lambda match: str(given.get(match[1], 1)), pattern)


def pages(addresses: Iterable[str], client: Client, kept: Callable[[str], bool]) -> list[str]:
    """Those that answer a plain GET with a page."""
    found = []
    for address in dict.fromkeys(addresses):
        if not kept(address):
            continue
        answer = client.get(address)
        kind = answer.headers.get("Content-Type", "")
        whole = not answer.streaming and b"<html" in answer.content
        if answer.status_code == 200 and kind.startswith("text/html") and whole:
            found.append(address)
    return found
