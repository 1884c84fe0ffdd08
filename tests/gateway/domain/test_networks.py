import pytest

from gateway.domain.networks import network_of


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("127.0.0.1", "127.0.0.0/24"),
        ("2001:db8:1:2ff:3::4", "2001:db8:1:200::/56"),
        ("::1", "::/56"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("fe80::1%eth0", "fe80::/56"),
        ("", "unknown"),
        ("unix:", "unknown"),
        ("not an address", "unknown"),
    ],
)
def test_network_is_the_site_that_an_address_belongs_to(address: str, network: str) -> None:
    assert network_of(address) == network
