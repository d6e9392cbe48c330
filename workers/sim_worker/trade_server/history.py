"""Bars and ticks of the past, on the server's clock, as the arrays of the MetaTrader5 package. Pure."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mas_router.mt5 import TIMEFRAMES, CopyTicks, ResultCode, TickFlag
from sim_worker.bars import DAY, resample
from sim_worker.bars import TIMEFRAMES as MINUTES
from sim_worker.quotes import MINUTE, SECOND, Bars, Quotes
from sim_worker.specs import SymbolSpec
from sim_worker.terminal.arrays import RATES, TICKS
from sim_worker.terminal.failures import CallFailed
from sim_worker.trade_server.clocks import ServerTime
from sim_worker.trade_server.sources import Source

MS = 1_000_000
Records = NDArray[np.void]
_NAMES = {int(number): name for name, number in TIMEFRAMES.items()}


class History:
    """What the trade server has of the past. All times here are of its clock, in nanoseconds."""

    def __init__(self, source: Source, time: ServerTime) -> None:
        self._source, self._time = source, time
        self._past_day = lru_cache(maxsize=512)(self._minutes)

    @property
    def start(self) -> int:
        """Before this there is nothing."""
        return self._time.server(self._source.start)

    def quotes(self, symbol: str, since: int, until: int) -> Quotes:
        """The quotes of since <= time < until. In the hour that the clock shows twice, those of both."""
        first, last = max(self._time.utc(since) - 3_600 * SECOND, self._source.start), self._time.utc(until)
        parts = [
            self._shifted(self._source.between(symbol, begin - 1, end - 1), shift)
            for begin, end, shift in self._time.spans(first, max(first, last) + 3_600 * SECOND)
        ]
        found = Quotes.concat(parts)
        return found[(found.time >= since) & (found.time < until)]

    def newest(self, symbol: str, moment: int) -> Quotes:
        """The newest quote up to a moment; empty if there is none. Its time is in UTC."""
        return self._source.newest(symbol, self._time.utc(moment))

    def _shifted(self, quotes: Quotes, shift: int) -> Quotes:
        return Quotes(time=quotes.time + shift, bid=quotes.bid, ask=quotes.ask, synthetic=quotes.synthetic)

    def bars(self, symbol: str, timeframe: str, since: int, until: int, now: int) -> Bars:
        """The bars of the periods since <= time < until, from whole periods of quotes up to now."""
        parts = []
        for day in range(max(since, self.start) // DAY * DAY, min(until, now + 1), DAY):
            past = day + DAY <= now - 3_600 * SECOND
            parts.append(self._past_day(symbol, day) if past else self._minutes(symbol, day, now + 1))
        minutes = Bars.concat(parts) if parts else self._minutes(symbol, 0, 0)
        return resample(minutes, timeframe) if timeframe != "M1" else minutes

    def _minutes(self, symbol: str, day: int, until: int = 2**62) -> Bars:
        quotes = self.quotes(symbol, day, min(day + DAY, until))
        # A clock that is set back shows an hour twice: bars need times that go up.
        return resample(quotes[np.argsort(quotes.time, kind="stable")], "M1")


def timeframe_name(number: int) -> str:
    """The word for a TIMEFRAME_* number."""
    if number not in _NAMES:
        raise CallFailed(ResultCode.INVALID_PARAMS)
    return _NAMES[number]


def copy_rates(
    history: History,
    spec: SymbolSpec,
    timeframe: str,
    now: int,
    *,
    since: int | None = None,
    until: int | None = None,
    position: int = 0,
    count: int | None = None,
) -> Records:
    """Bars that open between two seconds, or `count` bars back from a second, or from bar number `position`."""
    last = now if until is None else min(until * SECOND, now)
    if count is None:
        return _rates(_whole(history, spec.name, timeframe, (since or 0) * SECOND, last, now), spec)
    length = (MINUTES[timeframe] or 31 * 1440) * MINUTE
    back = max((position + count + 1) * length * 3 // 2, 4 * DAY)
    while True:
        bars = _whole(history, spec.name, timeframe, last - back, last, now)
        if len(bars) >= position + count or last - back <= history.start:
            end = max(0, len(bars) - position)
            return _rates(bars[max(0, end - count) : end], spec)
        back *= 4


def _whole(history: History, symbol: str, timeframe: str, since: int, last: int, now: int) -> Bars:
    """The bars that open in since <= time <= last, made of all their minutes."""
    length = (MINUTES[timeframe] or 31 * 1440) * MINUTE
    bars = history.bars(symbol, timeframe, since - length, last + length, now)
    return bars[(bars.time >= since) & (bars.time <= last)]


def _rates(bars: Bars, spec: SymbolSpec) -> Records:
    rates = np.zeros(len(bars), RATES)
    rates["time"] = bars.time // SECOND
    for name in ("open", "high", "low", "close"):
        rates[name] = getattr(bars, name)
    rates["tick_volume"] = bars.volume
    rates["spread"] = np.rint((bars.ask_open - bars.open) / spec.point)
    return rates


def copy_ticks(
    history: History, symbol: str, flags: int, now: int, *, since: int, until: int | None = None, count: int = 0
) -> Records:
    """Ticks between two seconds, or `count` of them from a second on. There are no trades in this market."""
    if flags not in (CopyTicks.ALL, CopyTicks.INFO, CopyTicks.TRADE):
        raise CallFailed(ResultCode.INVALID_PARAMS)
    start, end = since * SECOND, now + 1
    if until is not None:
        end = min(end, until * SECOND + 1)
    if flags == CopyTicks.TRADE or start >= end:
        return np.zeros(0, TICKS)
    quotes = _first(history, symbol, start, end, count) if until is None else history.quotes(symbol, start, end)
    return _ticks(quotes)


def _first(history: History, symbol: str, start: int, end: int, count: int) -> Quotes:
    """The first `count` quotes of a stretch, without reading all of it."""
    window = max(count * 2 * SECOND, DAY // 24)
    while True:
        quotes = history.quotes(symbol, start, min(start + window, end))
        if len(quotes) >= count or start + window >= end:
            return quotes[:count]
        window *= 4


def _ticks(quotes: Quotes) -> Records:
    ticks = np.zeros(len(quotes), TICKS)
    ticks["time"], ticks["time_msc"] = quotes.time // SECOND, quotes.time // MS
    ticks["bid"], ticks["ask"] = quotes.bid, quotes.ask
    ticks["flags"] = TickFlag.BID | TickFlag.ASK
    if len(quotes) > 1:
        bid = np.where(quotes.bid[1:] != quotes.bid[:-1], int(TickFlag.BID), 0)
        ask = np.where(quotes.ask[1:] != quotes.ask[:-1], int(TickFlag.ASK), 0)
        ticks["flags"][1:] = bid | ask
    return ticks
