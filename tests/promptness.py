"""How late a test lets things be.

A product that is held to a second is shown to keep it on a machine that does nothing else:
`pytest --to-the-letter`, a part of `make soak`. In the ordinary run many tests share the cores,
and a second there says little; what never happens is still found, as it is later than GRACE_S.
"""

from hypothesis import HealthCheck, settings

GRACE_S = 15.0
_grace_s = GRACE_S

# Hypothesis by itself holds each example to 200 ms, and the making of data to a rate.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


def to_the_letter() -> None:
    global _grace_s  # noqa: PLW0603 -- an option of the whole run
    _grace_s = 0.0


def is_to_the_letter() -> bool:
    return _grace_s == 0.0


def within(seconds: float) -> float:
    """These seconds, and what a busy machine may add to them."""
    return seconds + _grace_s
