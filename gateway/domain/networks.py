"""The client network that courtesy limits count by: one site, not one address."""

from ipaddress import IPv6Address, ip_address, ip_network

IPV4_PREFIX = 24
IPV6_PREFIX = 56  # What a home or office is given.
UNKNOWN = "unknown"


def network_of(address: str) -> str:
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return UNKNOWN
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    prefix = IPV4_PREFIX if ip.version == 4 else IPV6_PREFIX
    return str(ip_network(f"{ip}/{prefix}", strict=False))
