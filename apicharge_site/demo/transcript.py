"""What the demo prints: acts, figures, and whether each is as it was sold."""

import time
from collections.abc import Callable


class Deviation(Exception):
    """The demo saw something else than what was sold."""


class Transcript:
    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._acts = 0
        self._figures = 0
        self._began = time.monotonic()

    def act(self, title: str) -> None:
        self._acts += 1
        elapsed = time.monotonic() - self._began
        self._write(f"\n{self._acts:>2}. {title}  [{elapsed:.1f} s]")

    def say(self, text: str) -> None:
        self._write(f"    {text}")

    def expect(self, what: str, seen: object, wanted: object) -> None:
        """A figure that must be exactly this."""
        if seen != wanted:
            raise Deviation(f"{what}: {seen}, and it should be {wanted}")
        self._figures += 1
        self._write(f"  ✓ {what}: {seen}")

    def end(self) -> None:
        elapsed = time.monotonic() - self._began
        self._write(f"\nAll {self._figures} figures are as sold. {elapsed:.1f} s.")
