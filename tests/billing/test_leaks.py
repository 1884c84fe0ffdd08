"""Every address of the console, walked off its URL patterns: what is the first provider's is seen
and changed by nobody else, whichever page, export, prefilter or screen they ask for."""

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import ForeignKey, Model
from django.test import Client
from django.urls import URLPattern, URLResolver
from pytest_django.fixtures import Settings

from billing import vouchers
from billing.models import Purchase, Voucher, WebhookEndpoint
from billing.webhooks import registering
from gateway.models import RecentCall, UsageMinute
from marketplace import configuring, quoting
from marketplace.models import (
    Configuration,
    Provider,
    Quote,
    Route,
    RouteQuote,
    Service,
    ServiceNote,
    Upstream,
)
from tests.billing.shops import customs
from tests.marketplace import shop

pytestmark = pytest.mark.django_db
NOW = datetime.now(UTC)
ARGUMENT = re.compile(r"<(?:[a-z_]+:)?(\w+)>")
TOKEN = re.compile(r"[A-Za-z0-9]{32,}")  # Of a form, say: by chance it may spell a name.
HERS = "alba"


@pytest.fixture
def rows(settings: Settings) -> dict[type[Model], Model]:
    """One of each kind, and each of them Alba's."""
    settings.UPSTREAM_NETWORKS = ["127.0.0.0/8"]
    price = shop.stall("Alba", "alba-weather")
    service = price.route.service
    quoting.signed(price, time.time())
    bought = customs.purchase(price, "alba-buyer", NOW)
    vouchers.issue(
        price,
        count=1,
        uses=1,
        until_s=int(time.time()) + 9_999,
        note="alba-note",
        actor="alba",
        now_s=time.time(),
    )
    registering.register(service.provider, "http://127.0.0.1:9/alba", events=[], now_s=time.time())
    document = configuring.export(service.provider)
    plan = configuring.plan(service.provider, document)
    configuring.apply(plan, actor="alba", reason="alba-reason", now=NOW)
    minute = customs.minute(price, NOW, bought.pk)
    call = RecentCall.objects.create(
        grant=bought.pk,
        route=price.route.identifier,
        provider=service.provider_id,
        at=NOW,
        method="GET",
        path="/alba",
        end="completed",
        bytes_up=0,
        bytes_down=0,
        credits=0,
        messages=0,
    )
    found: list[Model] = [service.provider, service, price.route, price, bought, minute, call]
    found += [Voucher.objects.get(), WebhookEndpoint.objects.get(), Quote.objects.get()]
    found.append(ServiceNote.objects.create(service=service, text="alba-said"))
    found += [Upstream.objects.get(), Configuration.objects.latest("number")]
    return {type(row): row for row in found}


def patterns(of: list[URLPattern | URLResolver], before: str) -> Iterator[str]:
    for each in of:
        if isinstance(each, URLResolver):
            yield from patterns(each.url_patterns, before + str(each.pattern))
        else:
            yield before + str(each.pattern)


def addresses(rows: dict[type[Model], Model]) -> Iterator[str]:
    """Each pattern with Alba's keys in it."""
    urls, _app, _name = admin.site.urls
    for pattern in patterns(urls, ""):
        if pattern.startswith(("(?P", "login", "logout", "jsi18n", "password_change")):
            continue
        yield f"/admin/{ARGUMENT.sub(key_for(pattern, rows), pattern)}"
    for model in admin.site._registry:
        listed = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        yield f"{listed}?q=alba"
        for field in model._meta.fields:
            row = rows.get(field.related_model) if isinstance(field, ForeignKey) else None
            if row is not None:
                yield f"{listed}?{field.name}__exact={row.pk}"
                yield f"{listed}add/?{field.name}={row.pk}&_to_field=id&_popup=1"
                source = f"app_label={model._meta.app_label}&model_name={model._meta.model_name}"
                yield f"/admin/autocomplete/?term=&{source}&field_name={field.name}"
    for screen in (
        "",
        "start/",
        "configuration/",
        "configuration/export.json",
        "webhooks/",
        "grants/",
        "upstreams/",
    ):
        yield f"/admin/{screen}?provider=alba&service=alba-weather"


def key_for(pattern: str, rows: dict[type[Model], Model]) -> str:
    """By the model that the address is below, or by what the screen is about."""
    label, _, rest = pattern.partition("/")
    name = rest.partition("/")[0]
    for model, row in rows.items():
        if (model._meta.app_label, model._meta.model_name) == (label, name):
            return str(row.pk)
    screens: dict[str, type[Model]] = {"webhooks": WebhookEndpoint}
    return str(rows[screens[label]].pk) if label in screens else "1"


def client_of(user: User) -> Client:
    client = Client(raise_request_exception=True)
    client.force_login(user)
    return client


def shown(response: object) -> str:
    streamed = getattr(response, "streaming", False)
    body = "" if streamed else response.content.decode()  # type: ignore[attr-defined]
    said = body + response.headers.get("Location", "")  # type: ignore[attr-defined]
    said = TOKEN.sub("", said).lower()
    for echo in ('value="alba"', "q=alba", "q%3dalba", "provider=alba", "provider%3dalba"):
        said = said.replace(echo, "")
    return said.replace("service=alba-weather", "").replace("service%3dalba-weather", "")


def state() -> dict[str, list[dict[str, object]]]:
    kept = [Provider, Service, Upstream, Route, RouteQuote, Purchase, Voucher, WebhookEndpoint]
    kept += [Configuration, UsageMinute]
    return {model.__name__: list(model.objects.order_by("pk").values()) for model in kept}


def test_second_provider_sees_and_changes_nothing_of_the_first(
    rows: dict[type[Model], Model],
) -> None:
    client = client_of(shop.stall("Bruno", "bruno-files").route.service.provider.owner)
    before, visited = state(), sorted(set(addresses(rows)))
    assert len(visited) > 120
    owner = rows[Provider]
    assert isinstance(owner, Provider)
    as_alba = client_of(owner.owner)
    own = [address for address in visited if address.endswith(("/change/", "/history/"))]
    assert sum(HERS in shown(as_alba.get(address)) for address in own) > 12
    leaks = [address for address in visited if HERS in shown(client.get(address))]
    posted = {address.partition("?")[0] for address in visited}
    acts = {"act": "remove", "post": "yes", "apply": "1", "routes": "1", "message": ["x"]}
    leaks += [address for address in sorted(posted) if HERS in shown(client.post(address, acts))]
    assert leaks == []
    assert state() == before


def test_consumer_and_stranger_are_led_to_the_login(rows: dict[type[Model], Model]) -> None:
    consumer = client_of(User.objects.create_user("consumer"))
    for client in (consumer, Client()):
        for address in sorted({each.partition("?")[0] for each in addresses(rows)}):
            response = client.get(address)
            assert response.status_code in {302, 403, 404, 405}, address
            assert HERS not in shown(response)
