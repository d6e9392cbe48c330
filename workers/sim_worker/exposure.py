"""How much of a symbol is held, in exact sums.

Pure. Volumes and costs are integers, so that what was added and taken away again leaves nothing behind, whatever the
order was: binary fractions would drift.
"""

from __future__ import annotations

from typing import Final, NamedTuple

_LOT: Final = 10**8
_PRICE: Final = 10**12


class Exposure(NamedTuple):
    """Units (lots * 10**8) and costs (units * price * 10**12) of both sides."""

    long: int = 0
    long_cost: int = 0
    short: int = 0
    short_cost: int = 0

    def plus(self, sell: int, volume: float, price: float, sign: int = 1) -> Exposure:
        """With a position more (or, with sign -1, less)."""
        units = sign * round(volume * _LOT)
        cost = units * round(price * _PRICE)
        if sell:
            return Exposure(self.long, self.long_cost, self.short + units, self.short_cost + cost)
        return Exposure(self.long + units, self.long_cost + cost, self.short, self.short_cost)

    def side(self, sell: int) -> tuple[float, float]:
        """Lots and their average open price; (0, 0) when there are none."""
        units, cost = (self.short, self.short_cost) if sell else (self.long, self.long_cost)
        return (units / _LOT, cost / (units * _PRICE)) if units else (0.0, 0.0)

    def average(self) -> float:
        """The average open price of all positions, both sides together."""
        return (self.long_cost + self.short_cost) / ((self.long + self.short) * _PRICE)

    def covered(self) -> float:
        """Lots that an opposite position covers."""
        return min(self.long, self.short) / _LOT

    def uncovered(self) -> tuple[int, float, float]:
        """The larger side (1: short), the lots by which it is larger, and its average open price."""
        sell = 1 if self.short > self.long else 0
        return sell, abs(self.long - self.short) / _LOT, self.side(sell)[1]
