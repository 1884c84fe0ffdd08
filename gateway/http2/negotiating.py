"""TLS, and which protocol a connection speaks: what its handshake agreed on (ALPN)."""

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path

Factory = Callable[[], asyncio.Protocol]

HTTP2, HTTP1 = "h2", "http/1.1"
# RFC 9113, 9.2.2: what HTTP/2 needs of TLS 1.2; TLS 1.3 has its own.
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


def tls_context(certificate: Path, key: Path, protocols: list[str]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_ciphers(CIPHERS)
    context.load_cert_chain(certificate, key)
    if protocols:
        context.set_alpn_protocols(protocols)
    return context


class Negotiated(asyncio.Protocol):
    """Stands in until the handshake is over; then the connection is its protocol's."""

    def __init__(self, http1: Factory, http2: Factory) -> None:
        self._http1 = http1
        self._http2 = http2

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        session = transport.get_extra_info("ssl_object")
        chosen = self._http2() if session.selected_alpn_protocol() == HTTP2 else self._http1()
        transport.set_protocol(chosen)
        chosen.connection_made(transport)
