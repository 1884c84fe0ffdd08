import ssl
from pathlib import Path

import pytest

from gateway.http2.negotiating import HTTP1, HTTP2, tls_context
from tests.certificates import Authority


@pytest.fixture
def context(tmp_path: Path) -> ssl.SSLContext:
    signed = Authority().sign("gate.example")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_text(signed.certificate)
    key.write_text(signed.key)
    return tls_context(chain, key, [HTTP2, HTTP1])


def test_nothing_older_than_tls_1_2_is_spoken(context: ssl.SSLContext) -> None:
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_ciphers_are_those_that_http2_allows(context: ssl.SSLContext) -> None:
    ciphers = [each for each in context.get_ciphers() if each["protocol"] == "TLSv1.2"]
    assert ciphers
    for each in ciphers:
        assert each["aead"], each["name"]
        assert each["name"].startswith("ECDHE-"), each["name"]


def test_files_that_are_no_certificate_are_an_error(tmp_path: Path) -> None:
    chain = tmp_path / "chain.pem"
    chain.write_text("none")
    with pytest.raises(OSError, match="PEM"):
        tls_context(chain, chain, [])
