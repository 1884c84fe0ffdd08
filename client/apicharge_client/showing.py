"""What the commands print, for people or as JSON. Secrets only where they were asked for."""

import base64
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from apicharge_client import remaining
from apicharge_client.documents import Document
from apicharge_client.quotes import Quote
from apicharge_client.remaining import Left
from apicharge_client.store import Grant, Held


def offers(gateway: str, quotes: Sequence[Quote], *, as_json: bool) -> None:
    if as_json:
        _json({"gateway": gateway, "quotes": [dict(quote.document.members) for quote in quotes]})
        return
    _line(f"{len(quotes)} offers at {gateway}, all signed by the pinned signer")
    for quote in quotes:
        _line(f"{quote.route}  {quote.name}: {quote.price} for {quote.access_seconds} s")
        for limit in quote.document.objects("limits"):
            _line(f"    {json.dumps(dict(limit.members))}")
        _line(f"    pays {quote.payee}; until {_when(quote.expires_at)}; {quote.digest.hex()}")


def grant(origin: str, held: Grant, *, bought: bool, as_json: bool) -> None:
    if as_json:
        _json({**_grant(origin, held), "bought": bought})
        return
    verb = "Bought" if bought else "Already held:"
    _line(f"{verb} {held.name} for {held.route} ({held.price})")
    _line(f"  grant {held.id}, until {_when(held.expires_at)}")
    if not bought:
        _line("  To buy another, perhaps because it is used up: --again")


def signature(quote: Quote, signed: bytes, *, as_json: bool) -> None:
    text = base64.b64encode(signed).decode()
    if as_json:
        _json({"signature": text, "route": quote.route, "price": quote.price})
        return
    _line(f"{quote.name} for {quote.route}: {quote.price} to {quote.payee}")
    _line("Paste this signature:")
    _line(text)


def grants(
    all_held: Sequence[Held], left: Mapping[str, Left], *, now_s: float, as_json: bool
) -> None:
    if as_json:
        _json(
            {
                "grants": [
                    {
                        **_grant(held.origin, grant),
                        "usable": grant.usable(now_s),
                        "limits": _limits(left.get(grant.id)),
                    }
                    for held in all_held
                    for grant in held.grants
                ],
                "pending": [held.pending.id for held in all_held if held.pending],
            }
        )
        return
    for held in all_held:
        for one in held.grants:
            state = "usable" if one.usable(now_s) else "ended"
            _line(f"{state:6}  {held.origin}  {one.route}  {one.name} ({one.price})")
            _line(f"        grant {one.id}, until {_when(one.expires_at)}")
            for words in remaining.words(left[one.id]) if one.id in left else []:
                _line(f"        {words}")
        if held.pending:
            _line(f"under way  {held.origin}  {held.route}  purchase {held.pending.id}")
    if not all_held:
        _line("No grants. Buy one: apicharge buy URL --budget USDC:1")


def _limits(left: Left | None) -> object:
    """As the gateway says them; null: it was not asked, or did not say."""
    return left.members.get("limits") if isinstance(left, Document) else None


def token(grant: Grant, text: str, *, as_json: bool) -> None:
    if as_json:
        _json({"grant": grant.id, "route": grant.route, "token": text})
        return
    _line(text)


def key(address: str, path: Path, *, as_json: bool) -> None:
    if as_json:
        _json({"address": address, "file": str(path)})
        return
    _line(f"{address}")
    _line(f"  kept in {path}; use it with: export APICHARGE_KEY_FILE={path}")


def _grant(origin: str, held: Grant) -> dict[str, object]:
    return {
        "id": held.id,
        "origin": origin,
        "route": held.route,
        "name": held.name,
        "price": held.price,
        "expires_at": held.expires_at,
        "bought_at": held.bought_at,
    }


def _when(at_s: int) -> str:
    return datetime.fromtimestamp(min(at_s, 253402300799), UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def printable(text: str) -> str:
    """What comes from elsewhere shall not move the cursor."""
    return "".join(char if char.isprintable() else "?" for char in text)


def _json(document: Mapping[str, object]) -> None:
    sys.stdout.write(json.dumps(document, indent=1) + "\n")


def _line(text: str) -> None:
    sys.stdout.write(f"{printable(text)}\n")
