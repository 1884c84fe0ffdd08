"""What a WebSocket's client offers as subprotocols, where a token may be among them.

A browser's page can set no header of a handshake, but it names subprotocols: `apicharge` and
`apicharge.<token>` are ours and never reach the upstream. A browser ends a WebSocket whose answer
names none of what it offered, so the gate answers `apicharge` where the upstream chose nothing; the
token is never answered.
"""

from collections.abc import Iterable
from dataclasses import dataclass

OWN = "apicharge"
_TOKEN_PREFIX = f"{OWN}."


@dataclass(frozen=True, slots=True)
class Offered:
    token: str | None
    own: bool
    others: tuple[str, ...]
    """For the upstream to choose from."""

    def answer(self, chosen: str | None) -> str | None:
        return chosen or (OWN if self.own else None)


def read(names: Iterable[str]) -> Offered:
    token, own, others = None, False, []
    for name in names:
        if name == OWN:
            own = True
        elif name.startswith(_TOKEN_PREFIX):
            token = token or name.removeprefix(_TOKEN_PREFIX)
        elif name:
            others.append(name)
    return Offered(token, own, tuple(others))
