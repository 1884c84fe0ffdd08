"""What was measured, as values: medians, ratios, the table, and the promises it is held to."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

NAME_WIDTH = 38
CELL_WIDTH = 17


@dataclass(frozen=True, slots=True)
class Case:
    """One line of the table: what each subject did, in the order of the rounds."""

    name: str
    unit: str
    rounds: Mapping[str, Sequence[float]]
    digits: int = 0

    def median(self, subject: str) -> float | None:
        measured = self.rounds.get(subject)
        return statistics.median(measured) if measured else None

    def ratio(self, subject: str, reference: str) -> float | None:
        figure, of = self.median(subject), self.median(reference)
        return None if figure is None or not of else figure / of

    def line(self, subjects: Sequence[str]) -> str:
        cells = [f"{self.name}, {self.unit}".ljust(NAME_WIDTH)]
        for subject in subjects:
            figure, ratio = self.median(subject), self.ratio(subject, subjects[0])
            if figure is None:
                cells.append("-".rjust(CELL_WIDTH))
            else:
                part = "" if ratio is None else f" ({ratio:.2f})"
                cells.append(f"{figure:,.{self.digits}f}{part}".rjust(CELL_WIDTH))
        return "".join(cells)


def table(title: str, subjects: Sequence[str], cases: Sequence[Case]) -> str:
    """In brackets: of the first column's figure."""
    head = title.ljust(NAME_WIDTH) + "".join(subject.rjust(CELL_WIDTH) for subject in subjects)
    return "\n".join([head, *(case.line(subjects) for case in cases)])


@dataclass(frozen=True, slots=True)
class Growth:
    """What is served as something grows: by its size, the smallest first."""

    name: str
    per_second: Mapping[int, float]

    @property
    def kept(self) -> float:
        """What is left of the rate at the largest size: 1 is flat."""
        measured = list(self.per_second.values())
        return measured[-1] / measured[0]

    def line(self) -> str:
        first = next(iter(self.per_second.values()))
        cells = [
            f"{size:,}: {rate:,.0f} ({rate / first:.2f})" for size, rate in self.per_second.items()
        ]
        return f"{self.name}, req/s".ljust(NAME_WIDTH) + "   ".join(cells)


@dataclass(frozen=True, slots=True)
class Promise:
    """A bound that a figure is held to; a figure that could not be measured proves nothing."""

    name: str
    figure: float | None
    bound: float
    at_most: bool = False

    @property
    def is_kept(self) -> bool | None:
        if self.figure is None:
            return None
        return self.figure <= self.bound if self.at_most else self.figure >= self.bound

    def line(self) -> str:
        said = {True: "kept", False: "NOT KEPT", None: "not measured"}[self.is_kept]
        figure = "-" if self.figure is None else f"{self.figure:.2f}"
        bound = f"{'at most' if self.at_most else 'at least'} {self.bound:.2f}"
        return f"{self.name:<58}{figure:>8}  {bound:<15}{said}"


def percentile(values: Sequence[float], part: float) -> float:
    """The smallest value that `part` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * part) - 1)]
