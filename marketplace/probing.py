"""One call to an upstream, so that its provider sees what the gate would see.

The address is checked and pinned as at the gate: the name is resolved once, every address must be
allowed, and the connection goes to a checked one. No redirects, no proxies, no cookies.
"""

import asyncio
import ssl
import tempfile
import time
from dataclasses import dataclass, field
from functools import cache
from http import HTTPStatus

import httpx

from gateway.addresses import AddressRefused, Policy, Unresolvable, check_upstream, parse
from gateway.dialing import Dialing, HandshakeRefused
from gateway.domain import clusters
from gateway.domain.closing import ABNORMAL, Close
from gateway.domain.errors import UpstreamFault
from gateway.domain.exchange import End
from gateway.domain.routes import MESSAGE_BYTES_MAX, Timeouts
from gateway.domain.transforms import Transform
from gateway.upstream import Asked

PROBE_SECONDS = 10.0  # All of it: resolving, connecting, the answer's first bytes.
CONNECT_SECONDS = 5.0
SHOWN_BYTES = 512
HINT = ". Does your API run there?"
WEBSOCKETS = ("ws", "wss")


@dataclass(frozen=True, slots=True)
class Answered:
    status: int
    reason: str
    latency_ms: int
    address: str
    content_type: str
    beginning: str


@dataclass(frozen=True, slots=True)
class Failed:
    reason: str


@dataclass(frozen=True, slots=True)
class Shown:
    """What the gate trusts and shows at this service's upstreams, in PEM."""

    authorities: str = field(default="", repr=False)
    certificate: str = field(default="", repr=False)
    key: str = field(default="", repr=False)

    def context(self) -> ssl.SSLContext:
        if not self.authorities and not self.certificate:
            return _public()
        context = httpx.create_ssl_context(trust_env=False)
        if self.authorities:
            context.load_verify_locations(cadata=self.authorities)
        if self.certificate:
            with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:  # Ours alone: 0600.
                file.write(f"{self.certificate}\n{self.key}")
                file.flush()
                context.load_cert_chain(file.name)
        return context


@cache
def _public() -> ssl.SSLContext:
    """Reading the public authorities takes longer than most probes."""
    return httpx.create_ssl_context(trust_env=False)


def probe(
    url: str, policy: Policy, tls: Shown | None = None, changes: Transform | None = None
) -> Answered | Failed:
    """Blocks for `PROBE_SECONDS` at most."""
    shown = tls or Shown()
    try:
        address = str(check_upstream(url, policy)[0])
        if parse(url).scheme in WEBSOCKETS:
            return asyncio.run(_shake_hands(url, address, policy, shown, changes))
        return asyncio.run(_ask(url, address, shown.context(), changes))
    except FAULTS as exc:
        return Failed(_said(exc))


FAULTS = (
    AddressRefused,
    Unresolvable,
    TimeoutError,
    UpstreamFault,
    httpx.TransportError,
    httpx.InvalidURL,
    ssl.SSLError,
)


def _said(fault: Exception) -> str:
    match fault:
        case TimeoutError():
            return f"No answer within {PROBE_SECONDS:.0f} seconds."
        case UpstreamFault(end=end, detail=detail):
            said = f"{detail} {fault.__cause__ or ''}".rstrip()
            return said + HINT if end is End.UPSTREAM_UNREACHABLE else said
        case httpx.TransportError():
            said = f"{type(fault).__name__}: {fault}" if str(fault) else type(fault).__name__
            return said + HINT if isinstance(fault, httpx.ConnectError) else said
        case ssl.SSLError():
            return f"The TLS settings cannot be used: {fault.reason}"
        case httpx.InvalidURL():
            return f"Not a URL: {fault}"
    return str(fault)


async def _ask(
    url: str, address: str, verify: ssl.SSLContext, changes: Transform | None
) -> Answered | Failed:
    place = parse(url)
    original = httpx.URL(place.http)
    pinned = original.copy_with(host=address)
    timeout = httpx.Timeout(PROBE_SECONDS, connect=CONNECT_SECONDS)
    headers = [("user-agent", "ApiCharge upstream test")]
    if changes is not None:
        headers = changes.request(headers, "")
        pinned = pinned.copy_with(query=changes.query("").encode() or None)
    if place.is_grpc:
        headers += [("content-type", "application/grpc"), ("te", "trailers")]
    if all(name != "host" for name, _ in headers):
        headers.append(("host", original.netloc.decode()))
    async with (
        asyncio.timeout(PROBE_SECONDS),
        httpx.AsyncClient(
            timeout=timeout,
            trust_env=False,
            follow_redirects=False,
            verify=verify,
            http1=not place.is_http2,
            http2=place.is_http2,
        ) as client,
    ):
        started = time.monotonic()
        request = client.build_request(
            "POST" if place.is_grpc else "GET",
            pinned,
            headers=headers,
            extensions={"sni_hostname": place.host},
        )
        answer = await client.send(request, stream=True)
        latency_ms = round((time.monotonic() - started) * 1000)
        beginning = await _beginning(answer)
        await answer.aclose()
    return Answered(
        status=answer.status_code,
        reason=answer.reason_phrase,
        latency_ms=latency_ms,
        address=address,
        content_type=answer.headers.get("content-type", ""),
        beginning=_without_the_key(beginning.decode("utf-8", "replace"), changes),
    )


async def _shake_hands(
    url: str, address: str, policy: Policy, tls: Shown, changes: Transform | None
) -> Answered:
    """As the gate opens a WebSocket, and closes it at once."""
    identity = f"{tls.certificate}\n{tls.key}" if tls.certificate else ""
    cluster = clusters.Cluster(
        name="",
        places=(clusters.Place(url),),
        tls=clusters.Tls(tls.authorities.encode(), identity.encode()),
        transform=changes,
    )
    wait_ms = round(PROBE_SECONDS * 1000)
    asked = Asked(
        cluster,
        Timeouts(round(CONNECT_SECONDS * 1000), wait_ms, wait_ms),
        "GET",
        path="",
        query=changes.query("") if changes else "",
        headers=changes.request([], "") if changes else [],
        awaits_events=False,
    )
    async with asyncio.timeout(PROBE_SECONDS):
        started = time.monotonic()
        answered = await Dialing(policy).dial(url, asked, (), MESSAGE_BYTES_MAX)
        latency_ms = round((time.monotonic() - started) * 1000)
    content_type, beginning = "", b""
    if isinstance(answered, HandshakeRefused):
        content_type = dict(answered.headers).get("content-type", "")
        beginning = answered.body[:SHOWN_BYTES]
    else:
        answered.begin_close(Close(ABNORMAL))
        await answered.end(1)
    known = {status.value: status.phrase for status in HTTPStatus}
    return Answered(
        status=answered.status,
        reason=known.get(answered.status, ""),
        latency_ms=latency_ms,
        address=address,
        content_type=content_type,
        beginning=_without_the_key(beginning.decode("utf-8", "replace"), changes),
    )


async def _beginning(answer: httpx.Response) -> bytes:
    """Raw, so that a small answer that inflates to a huge one costs nothing."""
    beginning = b""
    async for chunk in answer.aiter_raw():
        beginning += chunk
        if len(beginning) >= SHOWN_BYTES:
            break
    return beginning[:SHOWN_BYTES]


def _without_the_key(text: str, changes: Transform | None) -> str:
    """An upstream that answers with what it was sent does not put the key on a page."""
    credential = changes.credential if changes is not None else None
    return text.replace(credential.value, "••••••••") if credential is not None else text
