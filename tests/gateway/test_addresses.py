import asyncio
from ipaddress import ip_address

import pytest

from gateway.addresses import (
    AddressRefused,
    Place,
    Policy,
    Unresolvable,
    check_upstream,
    is_public,
    parse,
    resolve,
)
from tests.gateway.spellings import INNER_URLS

PUBLIC_ONLY = Policy()
LOOPBACK = Policy.of(["127.0.0.0/8"])


@pytest.mark.parametrize("url", INNER_URLS)
def test_inner_address_is_refused_in_every_spelling(url: str) -> None:
    with pytest.raises((AddressRefused, Unresolvable)):
        check_upstream(url, PUBLIC_ONLY)


@pytest.mark.parametrize("url", INNER_URLS)
async def test_inner_address_is_refused_at_the_connection_too(url: str) -> None:
    with pytest.raises((AddressRefused, Unresolvable)):
        await resolve(parse(url), PUBLIC_ONLY)


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "8.8.8.8", "100.63.255.255", "172.32.0.1", "198.20.0.1", "2606:4700::1", "2003::1"],
)
def test_public_address_is_allowed(address: str) -> None:
    assert is_public(ip_address(address))


def test_listed_network_is_allowed_and_nothing_beside_it() -> None:
    assert check_upstream("http://127.0.0.1:9000/base/", LOOPBACK) == (ip_address("127.0.0.1"),)
    assert check_upstream("http://0x7f.1:22", LOOPBACK) == (ip_address("127.0.0.1"),)
    for url in ("http://[::1]/", "http://10.0.0.1/", "http://[::ffff:127.0.0.1]/"):
        with pytest.raises(AddressRefused):
            check_upstream(url, LOOPBACK)


@pytest.mark.parametrize("port", [22, 25, 79, 1023, 3306, 5432, 6379, 11211])
def test_port_of_another_service_is_refused(port: int) -> None:
    with pytest.raises(AddressRefused, match="Port"):
        check_upstream(f"http://1.1.1.1:{port}/", PUBLIC_ONLY)


def test_own_listener_is_refused() -> None:
    policy = Policy.of([], own=[("1.1.1.1", 8000)])
    check_upstream("http://1.1.1.1:8001/", policy)
    with pytest.raises(AddressRefused, match="itself"):
        check_upstream("http://1.1.1.1:8000/", policy)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.9.9.9", "0.0.0.0", "0x7f.1", "[::1]", "[::]", "[::ffff:127.0.0.1]"]
)
def test_own_listener_is_refused_though_its_network_is_listed(host: str) -> None:
    policy = Policy.of(["0.0.0.0/0", "::/0"], own=[("127.0.0.1", 8000)])
    check_upstream(f"http://{host}:8001/", policy)
    with pytest.raises(AddressRefused, match="itself"):
        check_upstream(f"http://{host}:8000/", policy)


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://h/", "file:///etc/passwd", "gopher://h", "//h", "h", "", "http://"),
        *("http://u@1.1.1.1/", "http://u:p@1.1.1.1", "http://1.1.1.1/?q", "http://1.1.1.1/#f"),
        "http://1.1.1.1:99999/",
    ],
)
def test_what_is_no_plain_http_url_is_refused(url: str) -> None:
    with pytest.raises(AddressRefused):
        check_upstream(url, PUBLIC_ONLY)


def test_place_is_what_the_client_will_call() -> None:
    assert parse("https://API.Example:443/v1/") == Place("https", "api.example", 443, "/v1", None)
    assert parse("http://0x7f.1:80/x").literal == ip_address("127.0.0.1")


async def test_name_with_one_inner_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def answers(*_: object, **__: object) -> list[object]:
        return [(0, 0, 0, "", ("93.184.216.34", 80)), (0, 0, 0, "", ("10.0.0.1", 80))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", answers, raising=False)
    with pytest.raises(AddressRefused):
        await resolve(parse("http://two.example/"), PUBLIC_ONLY)
