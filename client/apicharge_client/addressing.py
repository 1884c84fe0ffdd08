"""From what the user names, an address or a route, to the route and the gateway that sells it."""

from dataclasses import dataclass

import httpx

from apicharge_client import gateway as gw
from apicharge_client.errors import BadDocument
from apicharge_client.steps import Steps, ask


@dataclass(frozen=True, slots=True)
class Place:
    """Where a grant is used: `origin` is the only one that will see its tokens."""

    origin: str
    gateway: str
    route: str = ""
    path: str = ""

    @staticmethod
    def split(url: str) -> tuple[str, str]:
        return gw.origin_of(url), httpx.URL(url).path


def locate(target: str, gateway: str, *, whole_site: bool = False) -> Steps[Place]:
    """An address is asked (by GET, without a token): its 402 says what it is."""
    if "://" not in target:
        if not gateway:
            raise BadDocument(
                f"{target!r} is a route, and nobody says whose.",
                "Add --gateway https://…, or give the address that you want to call.",
            )
        return Place(gw.origin_of(gateway), gw.origin_of(gateway), target)
    origin, path = Place.split(target)
    if whole_site and path in {"", "/"}:
        return Place(origin, origin)
    response = yield from ask(httpx.Request("GET", target, extensions={"timeout": gw.TIMEOUT}))
    if response.status_code != 402:
        raise BadDocument(
            f"{target} answered {response.status_code}, not 402: nothing is for sale there.",
            "Check the address; `apicharge quotes ORIGIN` lists what a gateway sells.",
        )
    asked = gw.challenge(response)
    return Place(origin, asked.gateway, asked.route, path)
