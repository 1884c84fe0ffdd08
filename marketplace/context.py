"""What every page prints: where links lead, and which network the money is on."""

from django.conf import settings
from django.http import HttpRequest


def site(_request: HttpRequest | None) -> dict[str, object]:
    return {"origin": "", "chain_name": settings.CHAIN.name, "sandbox": settings.CHAIN.is_sandbox}
