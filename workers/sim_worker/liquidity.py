"""How much the market offers at one quote. Pure.

A symbol with the setting `liquidity` offers that many lots on each side of each quote; what was taken is gone until the
next one.
"""

from __future__ import annotations

from math import floor
from typing import Final

from sim_worker.rates import Quote

_HAIR: Final = 1e-6


class Liquidity:
    """What one symbol's newest quote still offers, in whole steps of volume."""

    __slots__ = ("_lots", "_quote", "_step", "_taken")

    def __init__(self, lots: float, step: float) -> None:
        self._lots, self._step = lots, step
        self._quote: Quote | None = None
        self._taken = [0.0, 0.0]

    def offered(self, sell: int, quote: Quote) -> float:
        """Lots that an order of this direction (1: selling) can still have at this quote."""
        if quote is not self._quote:
            self._quote, self._taken = quote, [0.0, 0.0]
        return round(floor((self._lots - self._taken[sell]) / self._step + _HAIR) * self._step, 8)

    def take(self, sell: int, lots: float) -> None:
        """These lots, of the quote that was asked about last, are gone."""
        self._taken[sell] += lots
