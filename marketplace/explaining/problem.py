from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Explained:
    """One problem type in words, for whoever opens the address that is its `type`."""

    slug: str
    status: int
    title: str
    meaning: str
    remedy: str
