"""The settings of commissions and fees, and their arithmetic.

Pure: numbers in, numbers out. Source: MetaTrader 5 administrator help, "Commission Settings".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from mas_router.errors import InvalidField


@dataclass(frozen=True, slots=True)
class Tier:
    """What deals from this size on cost. `least` and `most` bound the charge of one deal; a `most` of 0 does not."""

    value: float
    above: float = 0.0
    least: float = 0.0
    most: float = 0.0

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise InvalidField("value", self.value, "a number")
        for name in ("above", "least", "most"):
            amount = getattr(self, name)
            if not 0.0 <= amount < math.inf:
                raise InvalidField(name, amount, "a number that is not negative")


@dataclass(frozen=True, slots=True)
class Commission:
    """One rule of charging deals in the symbols of a mask such as "EUR*,!EURGBP".

    `value` is money of the deposit currency per lot ("lot"), per deal ("deal") or per million of the deal's value
    ("million"), or percent of that value ("percent"). A negative one is a rebate. `tiers` replace it where the charge
    depends on the deal's size: in lots, or in money of the deposit currency (`sizes` "money").

    `entry`: which deals are charged; a reversal is both. `charge`: at once, within the deal, or at the end of the day
    or the month in a deal of its own. `close_by`: also deals that close positions by each other, which cost nothing by
    default. `fee`: in the deal's fee instead of its commission (only at once).
    """

    value: float = 0.0
    per: Literal["lot", "deal", "million", "percent"] = "lot"
    symbols: str = "*"
    entry: Literal["both", "in", "out"] = "both"
    charge: Literal["instant", "daily", "monthly"] = "instant"
    sizes: Literal["lots", "money"] = "lots"
    tiers: tuple[Tier, ...] = ()
    close_by: bool = False
    fee: bool = False

    def __post_init__(self) -> None:
        _choose("per", self.per, "lot", "deal", "million", "percent")
        _choose("entry", self.entry, "both", "in", "out")
        _choose("charge", self.charge, "instant", "daily", "monthly")
        _choose("sizes", self.sizes, "lots", "money")
        if self.fee and self.charge != "instant":
            raise InvalidField("charge", self.charge, "instant, for a fee")
        Tier(self.value)

    @property
    def by_value(self) -> bool:
        """Does the charge depend on what the deal is worth?"""
        return self.per in ("million", "percent") or self.sizes == "money"

    def amount(self, lots: float, worth: float) -> float:
        """What a deal costs, not rounded. `worth`: its value in the deposit currency."""
        tier = self._tier(worth if self.sizes == "money" else lots)
        if tier is None:
            return 0.0
        base = {"lot": lots, "deal": 1.0, "million": worth / 1e6, "percent": worth / 100.0}[self.per]
        charged = max(tier.value * base, tier.least) if tier.least else tier.value * base
        return min(charged, tier.most) if tier.most else charged

    def _tier(self, size: float) -> Tier | None:
        """The tier with the highest bound that the size reaches."""
        if not self.tiers:
            return Tier(self.value)
        reached = [tier for tier in self.tiers if tier.above <= size]
        return max(reached, key=lambda tier: tier.above, default=None)


def _choose(name: str, value: str, *allowed: str) -> None:
    if value not in allowed:
        raise InvalidField(name, value, " or ".join(allowed))
