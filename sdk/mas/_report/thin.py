"""Fewer points that look the same: extremes are kept. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mas._report.curve import Curve, Floats, Ints, Market

CANDLES = 40_000
POINTS = 3_000
_DIGITS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Candles:
    """Groups of `group` rows each, as one candle: first open, highest high, lowest low, last close.

    `last` is the row at which each group ends.
    """

    time: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    last: Ints
    group: int


def group_of(markets: Sequence[Market], limit: int = CANDLES) -> int:
    """How many rows a candle has to hold so that all of these markets together have about `limit` of them."""
    return max(1, -(-sum(map(len, markets)) // limit))


def candles(market: Market, group: int) -> Candles:
    """Candles of so many rows each, in which no high and no low is lost."""
    rows = len(market)
    first = np.arange(0, rows, group)
    last = np.minimum(first + group, rows) - 1
    return Candles(
        time=market.time[first],
        open=market.open[first],
        high=np.asarray(np.maximum.reduceat(market.high, first)),
        low=np.asarray(np.minimum.reduceat(market.low, first)),
        close=market.close[last],
        last=last,
        group=group,
    )


def rows_to_show(curve: Curve, limit: int = POINTS) -> Ints:
    """About `limit` rows of a curve: of each stretch the last row, and those of its extremes."""
    rows = len(curve.time)
    if rows <= limit:
        return np.arange(rows)
    edges = np.linspace(0, rows, limit // 4 + 1).astype(np.int64)
    found = {0, rows - 1}
    drawdown = curve.drawdown
    for start, stop in pairwise(edges):
        part = curve.equity[start:stop]
        deepest = int(np.argmax(drawdown[start:stop]))
        found |= {int(start + np.argmin(part)), int(start + np.argmax(part)), int(start) + deepest, int(stop) - 1}
    return np.array(sorted(found), dtype=np.int64)


def digits_of(values: Floats) -> int:
    """The fewest decimals that hold all of these prices."""
    for digits in range(_DIGITS):
        if np.allclose(values, np.round(values, digits), rtol=0.0, atol=10.0**-_DIGITS / 2):
            return digits
    return _DIGITS


def whole(values: Floats, digits: int) -> Ints:
    """Prices or money as whole numbers of their smallest unit."""
    return np.asarray(np.rint(values * 10.0**digits), dtype=np.int64)


def steps(values: Ints) -> list[int]:
    """The first value, then by how much each differs from the one before: short numbers in a page."""
    return [int(step) for step in np.diff(values, prepend=0)]
