"""The routes that an API's document suggests: one for each thing that is sold apart.

A route is a path with everything below it, so the first word in which the paths differ makes one:
/v1/forecast/{city} and /v1/forecast/hourly are /v1/forecast, /v1/history is another. An API of one
such word, or of too many to sell apart, is one route.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from marketplace.domain.openapi import METHODS, Document, Operation

ROUTES_MAX = 20
NAME_LENGTH_MAX = 80
SLUG_LENGTH_MAX = 63
WHOLE = "Whole API"


@dataclass(frozen=True, slots=True)
class Proposal:
    slug: str
    name: str
    path: str
    methods: tuple[str, ...]
    """Those of its operations; a route without methods would take all."""
    description: str
    operations: tuple[Operation, ...]


def propose_routes(document: Document) -> tuple[Proposal, ...]:
    fixed = [(_fixed(each.path), each) for each in document.operations]
    shared = _shared([parts for parts, _ in fixed])
    groups: dict[tuple[str, ...], list[Operation]] = defaultdict(list)
    for parts, operation in fixed:
        groups[parts[: len(shared) + 1]].append(operation)
    # What answers at the shared path itself covers all: it cannot be sold beside the rest.
    if shared in groups or len(groups) > ROUTES_MAX:
        groups = defaultdict(list, {shared: list(document.operations)})
    taken: set[str] = set()
    return tuple(_proposal(path, found, taken) for path, found in sorted(groups.items()))


def _fixed(path: str) -> tuple[str, ...]:
    parts = [part for part in path.split("/") if part]
    until = next((i for i, part in enumerate(parts) if "{" in part), len(parts))
    return tuple(parts[:until])


def _shared(paths: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """The words that all paths begin with; of a single path, all but its last."""
    first, last = min(paths), max(paths)
    length = next(
        (i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b),
        min(len(first), len(last)),
    )
    return first[: length - 1] if first == last and length else first[:length]


def _proposal(path: tuple[str, ...], found: Sequence[Operation], taken: set[str]) -> Proposal:
    methods = {each.method for each in found}
    return Proposal(
        slug=_slug(path[-1] if path else "api", taken),
        name=_name(path, found),
        path="/" + "/".join(path),
        methods=tuple(each.upper() for each in METHODS if each.upper() in methods),
        description=found[0].summary if len(found) == 1 else "",
        operations=tuple(found),
    )


def _name(path: tuple[str, ...], found: Sequence[Operation]) -> str:
    tags = {each.tag for each in found}
    if len(tags) == 1 and (tag := tags.pop()):
        return " ".join(tag.split())[:NAME_LENGTH_MAX]
    words = re.sub(r"[^A-Za-z0-9]+", " ", path[-1]).strip() if path else ""
    return words.capitalize()[:NAME_LENGTH_MAX] or WHOLE


def _slug(word: str, taken: set[str]) -> str:
    plain = re.sub(r"[^a-z0-9]+", "-", word.lower())[: SLUG_LENGTH_MAX - 3].strip("-") or "api"
    slug, number = plain, 2
    while slug in taken:
        slug, number = f"{plain}-{number}", number + 1
    taken.add(slug)
    return slug
