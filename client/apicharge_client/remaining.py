"""What is left of the grants that are held, as their gateways say."""

from collections.abc import Iterable, Mapping

import httpx

from apicharge_client import gateway as gw
from apicharge_client import tokens
from apicharge_client.documents import Document
from apicharge_client.errors import ApiChargeError
from apicharge_client.keys import Key
from apicharge_client.steps import Steps, run
from apicharge_client.store import Grant, Held

TOKEN_SECONDS = 60
TOTALS = {"calls": "count", "data": "bytes", "credits": "credits", "messages": "count"}
UNITS = {"calls": "calls", "data": "bytes", "credits": "credits", "messages": "messages"}

Left = Document | ApiChargeError
"""What the gateway said, or why it did not."""


def ask_all(all_held: Iterable[Held], client: httpx.Client, now_s: float) -> dict[str, Left]:
    """By grant id, of those that are not over. Who did not answer once is not asked again."""
    said: dict[str, Left] = {}
    silent: dict[str, ApiChargeError] = {}
    for held in all_held:
        gateway = held.gateway or held.origin
        for grant in (each for each in held.grants if each.usable(now_s)):
            if gateway not in silent:
                try:
                    said[grant.id] = run(_ask(gateway, grant, now_s), client)
                    continue
                except ApiChargeError as exc:
                    silent[gateway] = exc
            said[grant.id] = silent[gateway]
    return said


def _ask(gateway: str, grant: Grant, now_s: float) -> Steps[Document]:
    key = Key(bytes.fromhex(grant.access_seed))
    token = tokens.derive(grant.token, key, expires_at=int(now_s) + TOKEN_SECONDS)
    response = yield from gw.get(gw.api(gateway, f"grants/{grant.id}"), {"apicharge": token})
    return gw.read(response, "What is left")


def words(left: Left) -> list[str]:
    """A line for each limit that is used up in time; the others say themselves where they stand."""
    if isinstance(left, ApiChargeError):
        return [f"what is left is not known: {left}"]
    try:
        return [_line(limit) for limit in left.objects("limits") if _is_quota(limit.members)]
    except ApiChargeError as exc:
        return [f"what is left is not known: {exc}"]


def _is_quota(limit: Mapping[str, object]) -> bool:
    return limit.get("kind") in TOTALS and limit.get("left") is not None


def _line(limit: Document) -> str:
    kind = limit.text("kind")
    way = f" {limit.text('direction')}" if "direction" in limit.members else ""
    left, total = limit.integer("left"), limit.integer(TOTALS[kind])
    every = limit.optional_integer("window_seconds")
    renews = f" in this window of {every} s" if every else ""
    return f"{left:,} of {total:,} {UNITS[kind]}{way} left{renews}"
