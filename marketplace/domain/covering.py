"""Which route answers for an operation: the gate's own rule, asked of a path with {names} in it.

The longest path wins, by whole segments. A name may stand for any word, so it is covered by a route
only where the route ends before it.
"""

from collections.abc import Collection, Iterable
from typing import NamedTuple, TypeVar

Key = TypeVar("Key")


class Covering(NamedTuple):
    path: str
    methods: Collection[str]
    """None of them: all."""


def cover(routes: Iterable[tuple[Key, Covering]], path: str, method: str) -> Key | None:
    """The key of the route that sells this operation, or None: the gate does not let it through."""
    asked = segments(path)
    over = [
        (len(segments(route.path)), key, route)
        for key, route in routes
        if asked[: len(segments(route.path))] == segments(route.path)
    ]
    longest = max((length for length, _, _ in over), default=0)
    for length, key, route in over:
        if length == longest and (not route.methods or method in route.methods):
            return key
    return None


def segments(path: str) -> list[str]:
    return [part for part in path.split("/") if part]
