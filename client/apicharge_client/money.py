"""Amounts in base units, and what a buyer is willing to spend.

A budget counts an amount as spent when its payment is signed and never gives it back: that a
purchase ended unpaid is what the gateway says, and a lying gateway shall not be paid twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from threading import Lock

from apicharge_client.errors import NotAffordable

DECIMALS = 7  # Of every classic Stellar asset.
UNITS = 10**DECIMALS


def show(amount: int, asset: str) -> str:
    whole, part = divmod(amount, UNITS)
    digits = f"{part:0{DECIMALS}d}".rstrip("0").ljust(2, "0")
    return f"{whole}.{digits} {asset}"


def parse(text: str) -> tuple[str, int]:
    """`USDC:2.5` → ("USDC", 25000000)."""
    code, colon, number = text.partition(":")
    try:
        units = Decimal(number) * UNITS
    except InvalidOperation:
        units = Decimal(-1)
    readable = colon and code.isalnum() and units.is_finite()
    if not readable or not 0 <= units < 2**63 or units != int(units):
        raise ValueError(f"{text!r} is not a budget like USDC:2.5")
    return code, int(units)


@dataclass(slots=True)
class Budget:
    """Limits by asset code: for one purchase, and for all that this budget signs."""

    per_purchase: Mapping[str, int]
    total: Mapping[str, int]
    spent: dict[str, int] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock, repr=False)

    @staticmethod
    def of(*texts: str, total: tuple[str, ...] = ()) -> "Budget":
        """`Budget.of("USDC:2.5", total=("USDC:10",))`; without a total, one purchase is all."""
        per_purchase = dict(parse(text) for text in texts)
        totals = dict(parse(text) for text in total)
        return Budget(per_purchase, {**per_purchase, **totals})

    def left(self, asset: str) -> int:
        """What one more purchase may cost."""
        total_left = self.total.get(asset, 0) - self.spent.get(asset, 0)
        return max(0, min(self.per_purchase.get(asset, 0), total_left))

    def spend(self, asset: str, amount: int) -> None:
        with self._lock:
            if amount > self.left(asset):
                raise NotAffordable(
                    f"{show(amount, asset)} is more than the {show(self.left(asset), asset)} "
                    "that the budget has left for one purchase.",
                    "State a larger budget if you agree to the price.",
                )
            self.spent[asset] = self.spent.get(asset, 0) + amount


def nothing() -> Budget:
    """Only what is free."""
    return Budget({}, {})
