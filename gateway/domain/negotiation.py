"""Which of several forms a caller prefers, by its Accept header (RFC 9110, 12.5.1)."""

from collections.abc import Sequence

RANGES_MAX = 50


def preferred(accept: str, offered: Sequence[str]) -> str:
    """Of what is offered, the best liked; the first where nothing is, or where several are."""
    ranges = [_range(part) for part in accept.split(",")[:RANGES_MAX]]

    def liking(form: str) -> tuple[float, int]:
        fitting = [(exactness, q) for name, q in ranges if (exactness := _fits(name, form))]
        exactness, q = max(fitting, default=(0, 0.0))  # The most exact range decides.
        return q, exactness if q else 0

    return max(offered, key=liking)


def _range(part: str) -> tuple[str, float]:
    name, *parameters = (piece.strip().lower() for piece in part.split(";"))
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            try:
                return name, min(1.0, max(0.0, float(value)))
            except ValueError:
                return name, 0.0
    return name, 1.0


def _fits(name: str, form: str) -> int:
    if name == form:
        return 3
    if name == f"{form.partition('/')[0]}/*":
        return 2
    return 1 if name == "*/*" else 0
