"""Reads a small file from an address that a provider named.

The address is checked and pinned as at the gate (gateway/addresses.py): the name is resolved once,
every address must be allowed, and the connection goes to a checked one. No redirects, no proxies,
no cookies, nothing compressed, and a bound on how long and how much.
"""

import asyncio
import ssl

import httpx

from gateway.addresses import AddressRefused, Policy, Unresolvable, check_upstream, parse

FETCH_SECONDS = 10.0
CONNECT_SECONDS = 5.0
SCHEMES = frozenset({"http", "https"})


class Unfetched(Exception):
    """There is no such file, as far as we could see; the message is for the provider."""


def fetch(url: str, policy: Policy, bytes_max: int) -> bytes:
    """Blocks for `FETCH_SECONDS` at most, and for as long as a name's resolving takes."""
    try:
        place = parse(url)
        if place.scheme not in SCHEMES:
            raise Unfetched("A file is fetched from http:// or https://.")
        address = str(check_upstream(url, policy)[0])
        return asyncio.run(_fetch(url, address, bytes_max))
    except TimeoutError as exc:
        raise Unfetched(f"No answer within {FETCH_SECONDS:.0f} seconds.") from exc
    except (AddressRefused, Unresolvable, httpx.InvalidURL) as exc:
        raise Unfetched(str(exc)) from exc
    except (httpx.TransportError, ssl.SSLError) as exc:
        raise Unfetched(f"It could not be read: {str(exc) or type(exc).__name__}.") from exc


async def _fetch(url: str, address: str, bytes_max: int) -> bytes:
    original = httpx.URL(url.strip())
    headers = {
        "host": original.netloc.decode(),
        "user-agent": "ApiCharge import",
        "accept-encoding": "identity",
    }
    client = httpx.AsyncClient(
        timeout=httpx.Timeout(FETCH_SECONDS, connect=CONNECT_SECONDS),
        trust_env=False,
        follow_redirects=False,
    )
    async with asyncio.timeout(FETCH_SECONDS), client:
        pinned = original.copy_with(host=address)
        named = {"sni_hostname": original.host}
        async with client.stream("GET", pinned, headers=headers, extensions=named) as answer:
            if answer.status_code != httpx.codes.OK:
                raise Unfetched(f"The answer is {answer.status_code}, not 200.")
            if answer.headers.get("content-encoding", "identity") != "identity":
                raise Unfetched("The answer is compressed, though that was not asked for.")
            read = bytearray()
            async for chunk in answer.aiter_raw():
                read += chunk
                if len(read) > bytes_max:
                    raise Unfetched(f"The file is larger than {bytes_max:,} bytes.")
    return bytes(read)
