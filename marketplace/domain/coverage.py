"""Which route of a service answers a request, as the gate decides it, and what a change would take.

A path claims itself and all below it, by whole segments. The longest claim wins, and does not fall
back to a shorter one when its methods do not fit: so a new route can take requests from an old one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

Segments = tuple[str, ...]
ANY_OTHER = "OTHER"  # Stands for each method or segment that no claim names.


@dataclass(frozen=True, slots=True)
class Claim:
    path: Segments
    methods: frozenset[str]  # Empty: all.

    @classmethod
    def of(cls, path: str, methods: list[str]) -> "Claim":
        return cls(tuple(part for part in path.split("/") if part), frozenset(methods))

    def collides(self, other: "Claim") -> bool:
        """Whether both claim the same path with the same method, so that neither could win."""
        either_any = not self.methods or not other.methods
        return self.path == other.path and (either_any or bool(self.methods & other.methods))


Claims = Mapping[int, Claim]  # By the route's key.


def answering(claims: Claims, path: Segments, method: str) -> int | None:
    for length in range(len(path), -1, -1):
        here = [(key, claim) for key, claim in claims.items() if claim.path == path[:length]]
        if here:
            fitting = (key for key, claim in here if not claim.methods or method in claim.methods)
            return next(fitting, None)
    return None


def loses(before: Claims, after: Claims, route: int) -> str | None:
    """A request that `route` answers before and not after, such as "GET /v1", or None.

    Decisions differ only at claimed paths and right below them, so those are all that is tried.
    """
    for path, method in _representatives([*before.values(), *after.values()]):
        if answering(before, path, method) == route != answering(after, path, method):
            known = tuple("…" if segment == ANY_OTHER else segment for segment in path)
            return f"{'any call to' if method == ANY_OTHER else method} /{'/'.join(known)}"
    return None


def _representatives(claims: list[Claim]) -> Iterator[tuple[Segments, str]]:
    methods = sorted({method for claim in claims for method in claim.methods})
    for path in sorted({claim.path for claim in claims}):
        for method in [ANY_OTHER, *methods]:
            yield path, method
            yield (*path, ANY_OTHER), method
