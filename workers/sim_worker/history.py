"""The newest bars of a market, as `copy_rates_from_pos` gives them.

Pure. What has not happened yet is not looked at: who asks gives the quotes, or M1 bars, up to the moment that counts.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Final

import numpy as np

from mas_router.columns import RATE_CODES
from sim_worker.bars import DAY, TIMEFRAMES, resample
from sim_worker.quotes import MINUTE, Bars, FloatArray, Quotes
from sim_worker.specs import SymbolSpec
from sim_worker.synthetic import SyntheticFeed, synthetic_bars

#: How long the past of a synthetic market is that follows the clock: what can be computed within half a second.
PAST_DAYS: Final = 365
#: A few lengths, so that asking for a little more does not begin anew.
_PASTS: Final = (8, 32, 128)
_MONTH: Final = 31 * 1440  # minutes
_LEAST: Final = 1024


def newest(source: Quotes | Bars, timeframe: str, skip: int, count: int, before: int = 0) -> Bars:
    """Up to `count` bars, the oldest first, after leaving out the `skip` newest and those from `before` (ns) on.

    The newest bar may not be complete yet. Only the end of the source is looked at.
    """
    if before:
        source = source.between(0, before)
    wanted = skip + count
    window = max(_LEAST, minutes_needed(timeframe, wanted))
    while True:
        start = max(0, len(source) - window)
        bars = resample(source[start:], timeframe)
        if not start or len(bars) > wanted:  # one more than wanted: the first may lack its beginning
            return bars[max(0, len(bars) - wanted) : max(0, len(bars) - skip)]
        window *= 4


def minutes_needed(timeframe: str, count: int) -> int:
    """The most minutes that so many bars, and one that is cut off, can have."""
    return (count + 1) * (TIMEFRAMES[timeframe] or _MONTH)


def columns(bars: Bars, point: float) -> tuple[bytes, ...]:
    """In the form in which a `messages.Chunk` carries them; the spread is that at the close, in points."""
    spread = np.rint((bars.ask_close - bars.close) / point).astype(np.int64)
    rows = (bars.time, bars.open, bars.high, bars.low, bars.close, bars.volume, spread)
    return tuple(row.astype("<" + code).tobytes() for code, row in zip(RATE_CODES, rows, strict=True))


def wall_bars(feed: SyntheticFeed, seed: int, spec: SymbolSpec, minutes: int, tick: int) -> Bars:
    """The M1 bars of a market that follows the clock, up to a tick: at least `minutes` of them, if it is that old.

    Before its first tick the market has a past: the weeks of a replay, moved so that they end where it begins.
    """
    ticks_per_minute = MINUTE // feed.interval_ns
    first = max(0, tick - minutes * ticks_per_minute)
    present = resample(feed.quotes(first, tick + 1 - first), "M1")
    if first:
        return present
    needed = minutes * MINUTE * 7 // 5 // DAY + 4  # five days of seven, and a weekend
    days = next((days for days in _PASTS if days >= needed), PAST_DAYS)
    past = _past(seed, spec, feed.start_ns // MINUTE * MINUTE, days, float(present.open[0]))
    return Bars.concat([past, present]) if len(past) else present


@lru_cache(maxsize=4)  # a strategy asks again and again; a year of minutes takes half a second, and 30 megabytes
def _past(seed: int, spec: SymbolSpec, end: int, days: int, price: float) -> Bars:
    past = synthetic_bars(seed, spec, end - days * DAY, end)
    return _moved(past, price, spec) if len(past) else past


def _moved(past: Bars, price: float, spec: SymbolSpec) -> Bars:
    """The same moves at another price level."""
    factor, scale = price / float(past.close[-1]), 10.0**spec.digits

    def at(prices: FloatArray) -> FloatArray:
        return np.maximum(np.rint(prices * factor * scale), 1.0) / scale

    return replace(
        past,
        open=at(past.open),
        high=at(past.high),
        low=at(past.low),
        close=at(past.close),
        ask_open=at(past.ask_open),
        ask_high=at(past.ask_high),
        ask_low=at(past.ask_low),
        ask_close=at(past.ask_close),
    )
