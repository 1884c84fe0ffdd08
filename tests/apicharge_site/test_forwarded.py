"""The client is the rightmost hop that is not a proxy of ours; nobody can claim to be another."""

from collections.abc import Sequence

import pytest

from apicharge_site import forwarded
from apicharge_site.state import Misconfigured
from gateway.asgi import Message, Scope

PROXIES = forwarded.trusted(["10.0.0.0/24", "2001:db8:1::/64"])


@pytest.mark.parametrize(
    ("peer", "lines", "client"),
    [
        ("10.0.0.1", [b"192.0.2.7"], "192.0.2.7"),
        ("10.0.0.1", [b"198.51.100.1, 192.0.2.7"], "192.0.2.7"),
        ("10.0.0.1", [b"198.51.100.1", b"192.0.2.7"], "192.0.2.7"),
        ("10.0.0.1", [b"198.51.100.1, 192.0.2.7, 10.0.0.9"], "192.0.2.7"),
        ("10.0.0.1", [b"10.0.0.5, 192.0.2.7"], "192.0.2.7"),
        ("10.0.0.1", [b"10.0.0.5"], "10.0.0.5"),
        ("10.0.0.1", [b"2001:db8:9::1,10.0.0.9"], "2001:db8:9::1"),
        ("2001:db8:1::1", [b" 192.0.2.7 "], "192.0.2.7"),
        ("::ffff:10.0.0.1", [b"192.0.2.7"], "192.0.2.7"),
        ("10.0.0.1", [b"::ffff:192.0.2.7"], "192.0.2.7"),
        # What cannot be read ends the walk at the proxy that passed it on.
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", [b""], "10.0.0.1"),
        ("10.0.0.1", [b"192.0.2.7, unknown"], "10.0.0.1"),
        ("10.0.0.1", [b"192.0.2.7, \xff, 10.0.0.9"], "10.0.0.9"),
        ("10.0.0.1", [b"192.0.2.7,"], "10.0.0.1"),
        # A stranger's claims are not looked at.
        ("192.0.2.8", [b"198.51.100.1"], "192.0.2.8"),
        ("10.0.1.1", [b"198.51.100.1"], "10.0.1.1"),
        ("unix:", [b"198.51.100.1"], "unix:"),
    ],
)
def test_client_is_the_nearest_hop_that_is_not_ours(
    peer: str, lines: Sequence[bytes], client: str
) -> None:
    assert forwarded.client_of(peer, lines, PROXIES) == client


@pytest.mark.parametrize("text", ["0.0.0.0/0", "::/0", "10.0.0.1/24", "proxy.example", ""])
def test_range_that_is_none_or_is_everybody_is_refused(text: str) -> None:
    with pytest.raises(Misconfigured, match="APICHARGE_TRUSTED_PROXIES"):
        forwarded.trusted([text])


async def told(scope: Scope, texts: Sequence[str]) -> Scope:
    seen: list[Scope] = []

    async def application(scope: Scope, *_: object) -> None:
        seen.append(scope)

    async def receive() -> Message:
        raise AssertionError

    async def send(message: Message) -> None:
        raise AssertionError(message)

    await forwarded.behind(application, forwarded.trusted(texts))(scope, receive, send)
    return seen[0]


def call(client: tuple[str, int] | None) -> Scope:
    return {"client": client, "headers": [(b"x-forwarded-for", b"192.0.2.7")]}


async def test_application_is_told_the_client() -> None:
    assert (await told(call(("10.0.0.1", 5)), ["10.0.0.0/8"]))["client"] == ("192.0.2.7", 0)
    assert (await told(call(("192.0.2.8", 5)), ["10.0.0.0/8"]))["client"] == ("192.0.2.8", 5)
    assert (await told(call(None), ["10.0.0.0/8"]))["client"] is None


async def test_nobody_is_believed_by_default() -> None:
    assert (await told(call(("127.0.0.1", 5)), []))["client"] == ("127.0.0.1", 5)
