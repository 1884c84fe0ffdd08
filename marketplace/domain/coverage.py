"""Which requests a route answers for, as far as the catalogue must know.

A path stands for itself and all below it, by whole segments; no methods means any method.
"""

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Coverage:
    path: str
    methods: frozenset[str]

    @classmethod
    def of(cls, path: str, methods: Collection[str]) -> "Coverage":
        return cls(path, frozenset(methods))

    def includes(self, other: "Coverage") -> bool:
        """Whether whatever `other` answered for is answered for here too."""
        under = other.path == self.path or other.path.startswith(self.path.rstrip("/") + "/")
        return under and (
            not self.methods or (bool(other.methods) and other.methods <= self.methods)
        )

    def collides(self, other: "Coverage") -> bool:
        """Whether both claim the same path with the same method, so that neither could win."""
        either_any = not self.methods or not other.methods
        return self.path == other.path and (either_any or bool(self.methods & other.methods))
