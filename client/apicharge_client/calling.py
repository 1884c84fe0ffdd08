"""One call through the gate, and the tokens for calls made by others."""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import httpx

from apicharge_client import gateway as gw
from apicharge_client import tokens
from apicharge_client.auth import ApiChargeAuth
from apicharge_client.buying import Buyer
from apicharge_client.errors import ApiChargeError, Unreachable
from apicharge_client.keys import Key
from apicharge_client.store import Grant

CALL_FAILED = 22  # As `curl --fail`.
CALL_TIMEOUT = httpx.Timeout(30, read=300)


@dataclass(frozen=True, slots=True)
class Call:
    url: str
    method: str
    headers: list[tuple[str, str]]
    body: bytes | None
    output: Path | None

    @staticmethod
    def of(arguments: argparse.Namespace) -> "Call":
        body = _body(arguments.data)
        return Call(
            url=arguments.target,
            method=arguments.request or ("GET" if body is None else "POST"),
            headers=[_header(text) for text in arguments.header],
            body=body,
            output=arguments.output,
        )


def call(buyer: Buyer, client: httpx.Client, wanted: Call) -> int:
    """Write the body as it comes; an answer of 400 or more is told on stderr and fails."""
    if not buyer.budget.per_purchase:
        buyer.key = None  # Without a stated budget nothing is bought, not even what is free.
    gw.origin_of(wanted.url)  # Says what is wrong with it.
    request = client.build_request(
        wanted.method,
        wanted.url,
        headers=wanted.headers,
        content=wanted.body,
        timeout=CALL_TIMEOUT,
    )
    try:
        response = client.send(request, auth=ApiChargeAuth(buyer), stream=True)
        try:
            _write(response, wanted.output)
        finally:
            response.close()
    except httpx.TransportError as exc:
        raise Unreachable(f"{wanted.url}: {type(exc).__name__} {exc}.") from exc
    if response.status_code >= 400:
        after_body = "\n" if wanted.output is None and sys.stdout.isatty() else ""
        sys.stderr.write(f"{after_body}apicharge: {_failure(response)}\n")
        return CALL_FAILED
    return 0


def token(grant: Grant, arguments: argparse.Namespace, now_s: float) -> str:
    key = Key(bytes.fromhex(grant.access_seed))
    seconds = tokens.MANAGE_SECONDS if arguments.manage else arguments.seconds
    expires_at = int(now_s) + seconds
    if arguments.sep53:
        return tokens.derive_sep53(
            grant.token, key, expires_at=expires_at, path=arguments.path, name=arguments.name
        )
    return tokens.derive(
        grant.token,
        key,
        expires_at=expires_at,
        methods=arguments.method,
        path=arguments.path,
        act="manage" if arguments.manage else None,
        name=arguments.name,
    )


def _write(response: httpx.Response, output: Path | None) -> None:
    if output is None:
        _copy(response, sys.stdout.buffer)
        return
    with output.open("wb") as file:
        _copy(response, file)


def _copy(response: httpx.Response, file: BinaryIO) -> None:
    for chunk in response.iter_bytes():
        file.write(chunk)
        file.flush()


def _failure(response: httpx.Response) -> str:
    status = f"{response.request.url} answered {response.status_code}"
    if error := gw.error_of(response):
        return f"{status} ({error})"
    if response.status_code == 402:
        return f"{status}: see `apicharge quotes`, and call again with --budget to buy"
    return status


def _body(text: str | None) -> bytes | None:
    if text is None:
        return None
    if not text.startswith("@"):
        return text.encode()
    try:
        return Path(text[1:]).read_bytes()
    except OSError as exc:
        raise ApiChargeError(f"{text[1:]} cannot be read: {exc.strerror}.") from exc


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise ApiChargeError(f"{text!r} is not a header like 'Name: value'.")
    return name.strip(), value.strip()
