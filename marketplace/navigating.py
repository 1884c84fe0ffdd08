"""The console's sidebar: what this user may open, in the order in which one needs it.

Models that are not named here, such as those of another app, are listed under their app's name.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

ICONS = {
    "AuditEntry": "history",
    "Authenticator": "phonelink_lock",
    "Category": "category",
    "ChainTransaction": "link",
    "ChannelAccount": "alt_route",
    "Discrepancy": "report",
    "EmailAddress": "mail",
    "EventCursor": "update",
    "DomainProof": "domain_verification",
    "GatewayNode": "dns",
    "GrantLedger": "key",
    "GrantedToken": "token",
    "Group": "groups",
    "Payment": "payments",
    "Provider": "storefront",
    "Purchase": "receipt_long",
    "Quote": "draw",
    "RecentCall": "call_made",
    "Refund": "undo",
    "Review": "reviews",
    "Revocation": "block",
    "Route": "route",
    "RouteQuote": "sell",
    "Service": "api",
    "RefundRequest": "support_agent",
    "ServiceNote": "campaign",
    "ServiceReport": "flag",
    "Snapshot": "photo_camera",
    "Suspension": "pause_circle",
    "UsageMinute": "monitoring",
    "User": "person",
    "UserSession": "devices",
    "VerifyingKey": "verified_user",
    "Voucher": "confirmation_number",
}
OTHER = "chevron_right"
GROUPS = {
    gettext_noop("Shop"): (
        "Service",
        "Route",
        "RouteQuote",
        "Voucher",
        "Provider",
        "DomainProof",
        "Category",
        "ServiceNote",
    ),
    gettext_noop("What happens"): ("UsageMinute", "RecentCall"),
    gettext_noop("Trust"): ("Review", "RefundRequest", "ServiceReport", "Suspension"),
    gettext_noop("Money"): (
        "Purchase",
        "Payment",
        "Refund",
        "Discrepancy",
        "GrantedToken",
        "ChainTransaction",
        "Quote",
        "AuditEntry",
    ),
    gettext_noop("Machinery"): (
        "GrantLedger",
        "Revocation",
        "GatewayNode",
        "Snapshot",
        "VerifyingKey",
        "ChannelAccount",
        "EventCursor",
    ),
    gettext_noop("People"): ("User", "Group", "EmailAddress", "Authenticator", "UserSession"),
}
Group = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Link:
    title: str
    address: str
    icon: str


def sidebar(screens: Iterable[Link], apps: Iterable[dict[str, Any]], here: str) -> list[Group]:
    """As the theme's template reads it."""
    listed = [(app["name"], model) for app in apps for model in app["models"]]
    by_name = {model["object_name"]: model for _app, model in listed}
    named = {name for names in GROUPS.values() for name in names}
    groups = [_group("", screens, here)]
    for title, names in GROUPS.items():
        links = [_link(by_name[name]) for name in names if name in by_name]
        groups.append(_group(_(title), links, here))
    rest: dict[str, list[Link]] = {}
    for app, model in listed:
        if model["object_name"] not in named:
            rest.setdefault(app, []).append(_link(model))
    groups += [_group(app, links, here) for app, links in rest.items()]
    return [group for group in groups if group["items"]]


def _link(model: dict[str, Any]) -> Link:
    name, address = model["object_name"], model["admin_url"] or ""
    return Link(str(model["name"]), address, ICONS.get(name, OTHER))


def _group(title: str, links: Iterable[Link], here: str) -> Group:
    return {
        "title": title,
        "items": [
            {
                "title": link.title,
                "link": link.address,
                "icon": link.icon,
                "active": here == link.address or _is_below(here, link.address),
                "has_permission": True,
            }
            for link in links
        ],
    }


def _is_below(here: str, address: str) -> bool:
    """The dashboard is above everything, and no part of it."""
    return address.count("/") > 2 and here.startswith(address)
