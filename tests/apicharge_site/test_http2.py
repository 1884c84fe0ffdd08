"""The served process over HTTP/2: the same application, and the same end."""

import asyncio
import os
import signal
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.apicharge_site.conftest import Site
from tests.certificates import Authority
from tests.http2 import connected
from tests.servers import RunningServer, start_server

HOST = "127.0.0.1"


async def test_gated_call_is_the_same_over_http2(site: Site) -> None:
    [port] = site.server.h2_ports
    async with connected(HOST, port) as client:
        unpaid = await client.get("/gate/files/files/10.bin")
        assert (unpaid.status, unpaid.head["content-type"]) == ("402", "application/problem+json")
        headers = [("apicharge", site.token())]
        paid = await client.get("/gate/files/files/100000.bin", headers=headers)
        assert (paid.status, len(paid.body), paid.is_whole) == ("200", 100_000, True)
        assert "apicharge-expires" in paid.head
        assert b"<html" in (await client.get("/")).body
        assert (await client.get("/livez")).body == (await client.get("/livez")).body != b""


async def test_draining_server_finishes_a_running_stream(site: Site) -> None:
    [port], [process] = site.server.h2_ports, site.server.processes
    async with connected(HOST, port) as client:
        headers = [("apicharge", site.token())]
        stream = await client.begin(client.head("/gate/files/stream?events=4", headers=headers))
        await client.until(lambda: client.streams[stream].body)
        os.kill(process.pid, signal.SIGTERM)
        await client.until(lambda: client.terminated is not None)
        await client.until(lambda: client.is_closed)
        assert b"event 4 of 4" in b"".join(f.data for f in client.frames if hasattr(f, "data"))
    assert await asyncio.to_thread(process.wait) == 0
    await asyncio.to_thread(site.server.start)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def with_tls(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> Iterator[RunningServer]:
    home = tmp_path_factory.mktemp("tls")
    signed = authority.sign(HOST)
    certificate, key = written(home, signed.certificate, signed.key)
    environment = {"APICHARGE_TLS_CERT": str(certificate), "APICHARGE_TLS_KEY": str(key)}
    with start_server(home, environment=environment) as server:
        yield server


def written(home: Path, certificate: str, key: str) -> tuple[Path, Path]:
    paths = home / "certificate.pem", home / "key.pem"
    for path, text in zip(paths, (certificate, key), strict=True):
        path.write_text(text)
    return paths


def trusting(authority: Authority, *protocols: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=authority.pem)
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


async def test_certificate_is_shown_on_both_ports(
    with_tls: RunningServer, authority: Authority
) -> None:
    [port] = with_tls.h2_ports
    async with connected(HOST, port, tls=trusting(authority, "h2")) as client:
        assert (await client.get("/livez")).status == "200"
    for origin in (with_tls.origin, f"https://{HOST}:{port}"):
        async with httpx.AsyncClient(verify=trusting(authority)) as http:
            answer = await http.get(f"{origin}/livez")
        assert (answer.status_code, answer.http_version) == (200, "HTTP/1.1")
