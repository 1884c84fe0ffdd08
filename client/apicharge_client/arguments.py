"""What the command line takes."""

import argparse
import re
from pathlib import Path
from typing import NoReturn

from apicharge_client.money import Budget

GATEWAY = "APICHARGE_GATEWAY"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"apicharge: {message}\n  See: {self.prog} --help\n")


def parser() -> argparse.ArgumentParser:
    whole = _Parser(prog="apicharge", description="Buy access to gated APIs, and call them.")
    commands = whole.add_subparsers(required=True, metavar="COMMAND", dest="command")
    common = _common()

    quotes = commands.add_parser("quotes", parents=[common], help="what a gateway or route costs")
    quotes.add_argument("target", metavar="URL")
    _buy(commands.add_parser("buy", parents=[common], help="buy access"))
    _call(commands.add_parser("call", parents=[common], help="call a gated address"))
    grants = commands.add_parser("grants", parents=[common], help="what is held, and left of it")
    grants.add_argument("--offline", action="store_true", help="without asking what is left")
    _token(commands.add_parser("token", parents=[common], help="derive an access token"))
    sign = commands.add_parser("sign", parents=[common], help="sign a purchase of a web page")
    sign.add_argument("url", metavar="URL", help="the address that the page shows")
    sign.add_argument("--budget", action="append", type=_budget, metavar="USDC:2.5")
    keygen = commands.add_parser("keygen", parents=[common], help="make a buyer key")
    keygen.add_argument("file", type=Path)
    return whole


def _common() -> _Parser:
    common = _Parser(add_help=False)
    common.add_argument("--json", action="store_true", help="write JSON")
    common.add_argument("--store", type=Path, help="folder of grants (or APICHARGE_CLIENT_HOME)")
    common.add_argument("--gateway", default="", help=f"for a ROUTE: whose it is (or {GATEWAY})")
    common.add_argument("--signer", default="", help="the quote signer that you expect, in hex")
    common.add_argument("--contract", default="", help="the contract that you expect, C…")
    common.add_argument(
        "--rpc", default="", help="a network node you trust, to check expiries and payments"
    )
    return common


def _buy(buy: argparse.ArgumentParser) -> None:
    buy.add_argument("target", metavar="URL|ROUTE")
    offer = buy.add_mutually_exclusive_group()
    offer.add_argument("--quote", metavar="DIGEST", help="this very quote")
    offer.add_argument("--name", help="the offer of this name; else the cheapest")
    buy.add_argument("--budget", action="append", type=_budget, metavar="USDC:2.5")
    buy.add_argument("--again", action="store_true", help="even if a grant is held")


def _call(call: argparse.ArgumentParser) -> None:
    call.add_argument("target", metavar="URL")
    call.add_argument("-X", "--request", metavar="METHOD", default="")
    call.add_argument("-d", "--data", help="the body; @FILE for a file's content")
    call.add_argument("-H", "--header", action="append", default=[], metavar="'Name: value'")
    call.add_argument("-o", "--output", type=Path, metavar="FILE")
    call.add_argument("--budget", action="append", type=_budget, metavar="USDC:2.5")


def _token(token: argparse.ArgumentParser) -> None:
    token.add_argument("target", metavar="URL|ROUTE")
    token.add_argument("--seconds", type=int, default=60)
    token.add_argument("--method", action="append", metavar="METHOD")
    token.add_argument("--path", metavar="/PREFIX")
    token.add_argument("--name", type=_name, help="by which it is seen, and revoked alone")
    token.add_argument("--manage", action="store_true", help="to revoke; opens no route")
    token.add_argument("--sep53", action="store_true", help="signed as wallets sign messages")


def _name(text: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9._:-]{1,64}", text) is None:
        raise argparse.ArgumentTypeError("a name has 1 to 64 letters, digits and . _ : -")
    return text


def _budget(text: str) -> str:
    try:
        Budget.of(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc
    return text
