"""What a domain says of itself in the DNS, asked of the machine's resolvers or of those set.

The name is asked as it is, with no search list, and all of it within `SECONDS`.
"""

from collections.abc import Sequence

import dns.exception
import dns.message
import dns.name
import dns.nameserver
import dns.resolver
from django.conf import settings

SECONDS = 5.0
ONE_SECONDS = 2.0
"""For one resolver, before the next one is asked."""


class Unanswered(Exception):
    """Nobody could say; the message is for the provider."""


def texts(name: str) -> list[str]:
    """The TXT records of a name; none where there are none, or no such name. Blocks."""
    try:
        answer = _resolver().resolve(dns.name.from_text(name), "TXT", search=False)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    except (dns.exception.DNSException, OSError) as exc:
        raise Unanswered(f"The DNS does not answer for {name} now.") from exc
    return [b"".join(record.strings).decode("utf-8", "replace") for record in answer]


def _resolver() -> dns.resolver.Resolver:
    given: Sequence[tuple[str, int]] = settings.DNS_RESOLVERS
    resolver = dns.resolver.Resolver(configure=not given)
    if given:
        resolver.nameservers = [dns.nameserver.Do53Nameserver(*each) for each in given]
    resolver.timeout, resolver.lifetime = ONE_SECONDS, SECONDS
    return resolver
