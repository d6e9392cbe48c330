"""Columns of quotes and of M1 bars: the only shapes in which prices reach the simulator.

Pure. Times are nanoseconds since 1970 in UTC, prices in the symbol's quote currency. The constructors look at lengths
and types only, so a slice costs nothing; `checked` looks at every value and is for data that comes from outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from mas_router.errors import InvalidField

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
Rows = slice | IntArray | NDArray[np.bool_]

SECOND = 1_000_000_000
MINUTE = 60 * SECOND

#: When the four quotes of an M1 bar happen, after its start. The last one stays inside the bar.
QUOTE_OFFSETS = (0, 20 * SECOND, 40 * SECOND, MINUTE - SECOND // 1000)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Table:
    """What Quotes and Bars share: equally long columns, sorted by `time`. `synthetic`: no market made these prices."""

    time: IntArray
    synthetic: bool = False

    _whole: ClassVar[frozenset[str]] = frozenset({"time", "volume"})

    def __post_init__(self) -> None:
        for name, column in self.columns().items():
            allowed = np.int64 if name in self._whole else np.float64
            if column.ndim != 1 or column.dtype != allowed:
                raise InvalidField(name, f"{column.ndim}-d {column.dtype}", f"a 1-d array of {allowed.__name__}")
            if len(column) != len(self.time):
                raise InvalidField(name, len(column), f"as many rows as time has ({len(self.time)})")

    def __len__(self) -> int:
        return len(self.time)

    def columns(self) -> dict[str, IntArray | FloatArray]:
        """The columns that are there, by name, in the order of their definition."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}

    def __getitem__(self, rows: Rows) -> Self:
        """These rows: a slice (no copy), positions or a mask."""
        part: dict[str, Any] = {name: column[rows] for name, column in self.columns().items()}
        return replace(self, **part)

    def between(self, since: int, until: int) -> Self:
        """The rows with since <= time < until, without a copy."""
        first, end = np.searchsorted(self.time, [since, until])
        return self[int(first) : int(end)]

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """All rows of the parts, one after another. Synthetic as soon as one part is.

        A column that only some parts have is 0 in the others.
        """
        names = dict.fromkeys(name for part in parts for name in part.columns())
        columns: dict[str, Any] = {name: np.concatenate([p._column(name) for p in parts]) for name in names}
        return replace(parts[0], synthetic=any(p.synthetic for p in parts), **columns)

    def _column(self, name: str) -> IntArray | FloatArray:
        columns = self.columns()
        if name in columns:
            return columns[name]
        return np.zeros(len(self), np.int64) if name in self._whole else np.zeros(len(self), np.float64)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Quotes(Table):
    """Bid and ask at points in time; `last` (price of the last deal) and `volume` where the market has them."""

    bid: FloatArray
    ask: FloatArray
    last: FloatArray | None = None
    volume: IntArray | None = None

    def checked(self) -> Self:
        """Self, if times never go back and all prices are finite with ask >= bid > 0; else InvalidField."""
        _refuse("time", self.time[1:], self.time[1:] < self.time[:-1], "not before the row above it", shift=1)
        _check_side("bid", self.bid)
        _check_side("ask", self.ask)
        _refuse("ask", self.ask, self.ask < self.bid, "not below the bid")
        return self


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Bars(Table):
    """Bars with both sides of the book. `time` is a bar's start, `volume` its number of ticks; open, high, low and
    close are of the bid, as in MT5's charts. `timeframe` is one of `bars.TIMEFRAMES`.
    """

    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    ask_open: FloatArray
    ask_high: FloatArray
    ask_low: FloatArray
    ask_close: FloatArray
    volume: IntArray
    timeframe: str = "M1"

    def checked(self) -> Self:
        """Self, if times go up, low <= open, close <= high, prices are finite and ask >= bid > 0; else InvalidField."""
        _refuse("time", self.time[1:], self.time[1:] <= self.time[:-1], "after the row above it", shift=1)
        for prefix in ("", "ask_"):
            opens, high, low, close = (getattr(self, prefix + name) for name in ("open", "high", "low", "close"))
            for name, side in zip(("open", "high", "low", "close"), (opens, high, low, close), strict=True):
                _check_side(prefix + name, side)
            _refuse(prefix + "high", high, high < np.maximum(opens, close), "not below open and close")
            _refuse(prefix + "low", low, low > np.minimum(opens, close), "not above open and close")
        for name in ("open", "high", "low", "close"):
            ask = getattr(self, "ask_" + name)
            _refuse("ask_" + name, ask, ask < getattr(self, name), "not below the bid")
        _refuse("volume", self.volume, self.volume < 0, "0 or more")
        return self

    def quotes(self) -> Quotes:
        """Four quotes for each M1 bar, in the order of MetaTrader's tester ("1 minute OHLC"): open, low, high, close
        if the bid's bar closes at or above its open, else open, high, low, close. Bid and ask move together.
        """
        if self.timeframe != "M1":
            raise InvalidField("timeframe", self.timeframe, "M1: a longer bar does not tell the path inside it")
        rising = self.close >= self.open
        bid = _path(rising, self.open, self.high, self.low, self.close)
        ask = _path(rising, self.ask_open, self.ask_high, self.ask_low, self.ask_close)
        time = (self.time[:, None] + np.array(QUOTE_OFFSETS, dtype=np.int64)).ravel()
        return Quotes(time=time, bid=bid, ask=np.maximum(ask, bid), synthetic=self.synthetic)


def _path(rising: NDArray[np.bool_], *ohlc: FloatArray) -> FloatArray:
    opens, high, low, close = ohlc
    second, third = np.where(rising, low, high), np.where(rising, high, low)
    return np.stack([opens, second, third, close], axis=1).ravel()


def _check_side(name: str, prices: FloatArray) -> None:
    good = np.isfinite(prices) & (prices > 0)
    _refuse(name, prices, ~good, "a finite price above 0")


def _refuse(name: str, values: IntArray | FloatArray, wrong: NDArray[np.bool_], allowed: str, shift: int = 0) -> None:
    """Raise InvalidField for the first wrong row. `shift`: how many rows of the table precede `values`."""
    if wrong.any():
        row = int(wrong.argmax())
        raise InvalidField(name, values[row].item(), f"{allowed} (row {row + shift})")
