"""One call to an upstream, so that its provider sees what the gate would see.

The address is checked and pinned as at the gate: the name is resolved once, every address must be
allowed, and the connection goes to a checked one. No redirects, no proxies, no cookies.
"""

import asyncio
import ssl
import tempfile
import time
from dataclasses import dataclass, field

import httpx

from gateway.addresses import AddressRefused, Policy, Unresolvable, check_upstream, parse
from gateway.domain.transforms import Transform

PROBE_SECONDS = 10.0  # All of it: resolving, connecting, the answer's first bytes.
CONNECT_SECONDS = 5.0
SHOWN_BYTES = 512


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
        context = httpx.create_ssl_context(trust_env=False)
        if self.authorities:
            context.load_verify_locations(cadata=self.authorities)
        if self.certificate:
            with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:  # Ours alone: 0600.
                file.write(f"{self.certificate}\n{self.key}")
                file.flush()
                context.load_cert_chain(file.name)
        return context


def probe(
    url: str, policy: Policy, tls: Shown | None = None, changes: Transform | None = None
) -> Answered | Failed:
    """Blocks for `PROBE_SECONDS` at most."""
    try:
        addresses = check_upstream(url, policy)
        return asyncio.run(_ask(url, str(addresses[0]), (tls or Shown()).context(), changes))
    except (AddressRefused, Unresolvable) as exc:
        return Failed(str(exc))
    except TimeoutError:
        return Failed(f"No answer within {PROBE_SECONDS:.0f} seconds.")
    except httpx.TransportError as exc:
        said = f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__
        hint = ". Does your API run there?" if isinstance(exc, httpx.ConnectError) else ""
        return Failed(f"{said}{hint}")
    except ssl.SSLError as exc:
        return Failed(f"The TLS settings cannot be used: {exc.reason}")
    except httpx.InvalidURL as exc:
        return Failed(f"Not a URL: {exc}")


async def _ask(
    url: str, address: str, verify: ssl.SSLContext, changes: Transform | None
) -> Answered | Failed:
    place = parse(url)
    original = httpx.URL(url)
    pinned = original.copy_with(host=address)
    timeout = httpx.Timeout(PROBE_SECONDS, connect=CONNECT_SECONDS)
    headers = [("user-agent", "ApiCharge upstream test")]
    if changes is not None:
        headers = changes.request(headers, "")
        pinned = pinned.copy_with(query=changes.query("").encode() or None)
    if all(name != "host" for name, _ in headers):
        headers.append(("host", original.netloc.decode()))
    async with (
        asyncio.timeout(PROBE_SECONDS),
        httpx.AsyncClient(
            timeout=timeout, trust_env=False, follow_redirects=False, verify=verify
        ) as client,
    ):
        started = time.monotonic()
        request = client.build_request(
            "GET", pinned, headers=headers, extensions={"sni_hostname": place.host}
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
