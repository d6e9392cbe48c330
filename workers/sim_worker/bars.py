"""Timeframes: bars out of quotes or of shorter bars.

Pure. A period without a quote has no bar, as in MT5.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from mas_router.errors import InvalidField
from sim_worker.quotes import MINUTE, Bars, FloatArray, IntArray, Quotes

DAY = 1440 * MINUTE
WEEK = 7 * DAY
_FIRST_SUNDAY = 3 * DAY  # 1970-01-04, in nanoseconds since 1970
#: The Forex market is open from Sunday 22:00 to Friday 22:00 UTC; the first such Sunday since 1970, and the minutes.
FIRST_OPEN = _FIRST_SUNDAY + 22 * 60 * MINUTE
TRADING_WEEK = 5 * 1440

#: The 21 timeframes of MT5 (MQL5 docs, ENUM_TIMEFRAMES) with their minutes; 0 for the calendar month.
TIMEFRAMES = {
    **{f"M{n}": n for n in (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30)},
    **{f"H{n}": n * 60 for n in (1, 2, 3, 4, 6, 8, 12)},
    "D1": 1440,
    "W1": 7 * 1440,
    "MN1": 0,
}


def minutes_of(timeframe: str) -> int:
    """The minutes of a timeframe, 0 for MN1. InvalidField if MT5 has no such timeframe."""
    try:
        return TIMEFRAMES[timeframe]
    except KeyError:
        raise InvalidField("timeframe", timeframe, f"one of {', '.join(TIMEFRAMES)}") from None


def period_starts(time: IntArray, timeframe: str) -> IntArray:
    """The start of the period that each time is in. Weeks start on Sunday 00:00, months on the first, in UTC."""
    minutes = minutes_of(timeframe)
    if timeframe == "MN1":
        return time.view("M8[ns]").astype("M8[M]").astype("M8[ns]").astype(np.int64)
    if timeframe == "W1":
        return (time - _FIRST_SUNDAY) // WEEK * WEEK + _FIRST_SUNDAY
    return time // (minutes * MINUTE) * (minutes * MINUTE)


def period_ends(starts: IntArray, timeframe: str) -> IntArray:
    """The end of each period that starts at these times, which is the start of the next one."""
    if timeframe == "MN1":
        return (starts.view("M8[ns]").astype("M8[M]") + 1).astype("M8[ns]").astype(np.int64)
    return starts + (WEEK if timeframe == "W1" else minutes_of(timeframe) * MINUTE)


def trading_minutes(time: IntArray) -> IntArray:
    """How many minutes of an open Forex market begin between FIRST_OPEN and each time."""
    week, rest = np.divmod(time - FIRST_OPEN, WEEK)
    return np.asarray(week * TRADING_WEEK + np.minimum(-(-rest // MINUTE), TRADING_WEEK), dtype=np.int64)


def resample(source: Quotes | Bars, timeframe: str) -> Bars:
    """The bars of a timeframe. InvalidField if bars are given whose periods do not fit into it, such as W1 into MN1."""
    if isinstance(source, Quotes):
        opens = highs = lows = closes = source.bid
        ask_opens = ask_highs = ask_lows = ask_closes = source.ask
        volumes = np.ones(len(source), dtype=np.int64)
    else:
        _require_nesting(source.timeframe, timeframe)
        opens, highs, lows, closes = source.open, source.high, source.low, source.close
        ask_opens, ask_highs = source.ask_open, source.ask_high
        ask_lows, ask_closes = source.ask_low, source.ask_close
        volumes = source.volume
    periods = period_starts(source.time, timeframe)
    first = _firsts(periods)
    last = _lasts(first, len(periods))
    return Bars(
        time=periods[first],
        open=opens[first],
        high=_reduce(np.maximum, highs, first),
        low=_reduce(np.minimum, lows, first),
        close=closes[last],
        ask_open=ask_opens[first],
        ask_high=_reduce(np.maximum, ask_highs, first),
        ask_low=_reduce(np.minimum, ask_lows, first),
        ask_close=ask_closes[last],
        volume=np.add.reduceat(volumes, first) if len(first) else volumes,
        timeframe=timeframe,
        synthetic=source.synthetic,
    )


def minute_bars(parts: Iterable[Quotes | Bars]) -> Iterator[Bars]:
    """The M1 bars of tables that follow one another in time; ticks of one minute may lie in several of them."""
    held: Quotes | None = None
    for part in parts:
        if isinstance(part, Bars):
            yield part
            continue
        quotes = part if held is None else Quotes.concat([held, part])
        begun = int(np.searchsorted(quotes.time, quotes.time[-1] // MINUTE * MINUTE))
        if begun:
            yield resample(quotes[:begun], "M1")
        held = quotes[begun:]
    if held is not None:
        yield resample(held, "M1")


def _require_nesting(shorter: str, longer: str) -> None:
    source, target = minutes_of(shorter), minutes_of(longer)
    fits = shorter != "W1" if longer == "MN1" else source > 0 and target % source == 0
    if not fits:
        raise InvalidField("timeframe", longer, f"a timeframe made of whole {shorter} bars")


def _firsts(periods: IntArray) -> IntArray:
    """Where each period begins, as row numbers."""
    changed = np.flatnonzero(periods[1:] != periods[:-1]) + 1
    return np.concatenate(([0], changed)).astype(np.int64)[: len(periods)]


def _lasts(first: IntArray, count: int) -> IntArray:
    return np.append(first[1:], count)[: len(first)] - 1


def _reduce(function: np.ufunc, values: FloatArray, first: IntArray) -> FloatArray:
    """`reduceat`, which refuses an empty array, for an empty one too."""
    if not len(first):
        return values
    result: FloatArray = function.reduceat(values, first)
    return result
