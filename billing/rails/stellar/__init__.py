"""Paying on Stellar: nothing else in billing knows this network by name."""

from billing.rails.stellar.rail import StellarRail

__all__ = ["StellarRail"]
