"""The `apicharge` command.

Exit codes: 0 done; 1 other; 2 usage; 3 key; 4 not trusted, nothing signed; 5 not within the budget;
6 under way; 7 purchase ended; 8 the gateway refused; 9 store; 10 no answer; 22 the call itself
was answered with 400 or more. The buyer's key comes from APICHARGE_KEY_FILE or APICHARGE_KEY.
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence

import httpx

from apicharge_client import calling, keys, remaining, showing, signing
from apicharge_client.addressing import Place, locate
from apicharge_client.arguments import GATEWAY, parser
from apicharge_client.buying import Buyer
from apicharge_client.errors import ApiChargeError, KeyProblem, NotAffordable
from apicharge_client.money import Budget
from apicharge_client.pins import Expected
from apicharge_client.steps import run
from apicharge_client.store import Grant, Store, default_home


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    try:
        return COMMANDS[arguments.command](arguments)
    except ApiChargeError as exc:
        _complain(exc, as_json=arguments.json)
        return exc.exit_code
    except KeyboardInterrupt:
        return 130


def _quotes(arguments: argparse.Namespace) -> int:
    with _client() as client:
        buyer = _buyer(arguments, needs_key=False)
        place = run(locate(arguments.target, _gateway(arguments), whole_site=True), client)
        offers = run(buyer.offers(place.gateway, place.route), client)
    showing.offers(place.gateway, offers, as_json=arguments.json)
    return 0


def _buy(arguments: argparse.Namespace) -> int:
    buyer = _buyer(arguments, needs_key=True)
    buyer.wanted = arguments.quote or arguments.name or ""
    with _client() as client:
        place = run(locate(arguments.target, _gateway(arguments)), client)
        known = buyer.store.held(place.origin, place.route).usable(buyer.clock())
        spent = known.id if known and arguments.again else ""
        grant = run(buyer.acquire(place.origin, place.route, place.gateway, spent), client)
    if place.path:
        buyer.store.change(place.origin, place.route, lambda held: held.at_path(place.path))
    showing.grant(
        place.origin, grant, bought=known is None or known.id != grant.id, as_json=arguments.json
    )
    return 0


def _call(arguments: argparse.Namespace) -> int:
    buyer = _buyer(arguments, needs_key=bool(arguments.budget))
    with _client() as client:
        return calling.call(buyer, client, calling.Call.of(arguments))


def _grants(arguments: argparse.Namespace) -> int:
    buyer = _buyer(arguments, needs_key=False)
    all_held, now_s, left = buyer.store.all(), buyer.clock(), {}
    if not arguments.offline:
        with _client() as client:
            left = remaining.ask_all(all_held, client, now_s)
    showing.grants(all_held, left, now_s=now_s, as_json=arguments.json)
    return 0


def _token(arguments: argparse.Namespace) -> int:
    buyer = _buyer(arguments, needs_key=False)
    grant = _held_grant(buyer, arguments.target, _gateway(arguments))
    showing.token(grant, calling.token(grant, arguments, buyer.clock()), as_json=arguments.json)
    return 0


def _sign(arguments: argparse.Namespace) -> int:
    with _client() as client:
        quote, signed = run(signing.sign(_buyer(arguments, needs_key=True), arguments.url), client)
    showing.signature(quote, signed, as_json=arguments.json)
    return 0


def _keygen(arguments: argparse.Namespace) -> int:
    key = keys.generate(arguments.file)
    showing.key(key.address, arguments.file, as_json=arguments.json)
    return 0


def _held_grant(buyer: Buyer, target: str, gateway: str) -> Grant:
    with _client() as client:
        if "://" in target and (held := buyer.store.at(*Place.split(target))):
            found = held
        else:
            place = run(locate(target, gateway), client)
            found = buyer.store.held(place.origin, place.route)
    grant = found.usable(buyer.clock())
    if grant is None:
        raise NotAffordable(f"There is no grant for {target}.", f"Buy one: apicharge buy {target}")
    return grant


def _buyer(arguments: argparse.Namespace, *, needs_key: bool) -> Buyer:
    environ: Mapping[str, str] = os.environ
    try:
        key = keys.from_environment(environ)
    except KeyProblem:
        if needs_key:
            raise
        key = None
    return Buyer(
        store=Store(arguments.store or default_home(environ)),
        key=key,
        budget=Budget.of(*(getattr(arguments, "budget", None) or ())),
        expected=Expected(arguments.signer, arguments.contract),
        rpc_url=arguments.rpc,
    )


def _client() -> httpx.Client:
    return httpx.Client(timeout=30)


def _gateway(arguments: argparse.Namespace) -> str:
    return str(arguments.gateway or os.environ.get(GATEWAY, ""))


def _complain(exc: ApiChargeError, *, as_json: bool) -> None:
    if as_json:
        document = {"error": str(exc), "hint": exc.hint, "exit_code": exc.exit_code}
        sys.stderr.write(json.dumps(document) + "\n")
        return
    sys.stderr.write(f"apicharge: {showing.printable(str(exc))}\n")
    if exc.hint:
        sys.stderr.write(f"  {showing.printable(exc.hint)}\n")


COMMANDS = {
    "quotes": _quotes,
    "buy": _buy,
    "call": _call,
    "grants": _grants,
    "token": _token,
    "sign": _sign,
    "keygen": _keygen,
}
