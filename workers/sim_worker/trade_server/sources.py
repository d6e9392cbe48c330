"""Where a trade server's quotes come from: made up, scripted, or the catalog. Times are UTC nanoseconds. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from mas_router.errors import InvalidField
from sim_worker.bars import FIRST_OPEN, TRADING_WEEK, WEEK
from sim_worker.quotes import MINUTE, SECOND, IntArray, Quotes
from sim_worker.specs import SymbolSpec
from sim_worker.synthetic import SyntheticFeed

INTERVAL = SECOND
OPEN_PART = TRADING_WEEK * MINUTE  # of a week
EMPTY = Quotes(time=np.empty(0, dtype=np.int64), bid=np.empty(0), ask=np.empty(0))


class Source(Protocol):
    """Quotes by symbol. What it has said of the past it says again."""

    start: int

    def between(self, symbol: str, since: int, until: int) -> Quotes:
        """The quotes of since < time <= until."""

    def newest(self, symbol: str, moment: int) -> Quotes:
        """The newest quote up to a moment; empty if there is none."""


def into_week(time: IntArray) -> IntArray:
    """How long ago the Forex week began, on Sunday at 22:00 UTC; it ends after OPEN_PART."""
    return (time - FIRST_OPEN) % WEEK


class SyntheticSource:
    """One tick a second, made up from the seed and the symbol."""

    def __init__(self, seed: int, specs: Mapping[str, SymbolSpec], start: int, *, weekends: bool) -> None:
        self.start = start - start % MINUTE
        self._weekends = weekends
        self._feeds = {name: SyntheticFeed(seed, spec, self.start, INTERVAL) for name, spec in specs.items()}

    def between(self, symbol: str, since: int, until: int) -> Quotes:
        feed = self._feeds[symbol]
        first, last = feed.index_at(since) + 1, feed.index_at(until)
        quotes = feed.quotes(first, max(0, last - first + 1))
        return quotes if self._weekends else quotes[into_week(quotes.time) < OPEN_PART]

    def newest(self, symbol: str, moment: int) -> Quotes:
        closed = (moment - FIRST_OPEN) % WEEK - OPEN_PART
        if not self._weekends and closed >= 0:
            moment -= closed + 1  # to just before the closing
        index = self._feeds[symbol].index_at(moment)
        return self._feeds[symbol].quotes(index, 1) if index >= 0 else EMPTY


class ScriptedSource:
    """Quotes that a test gives, one after another, and quotes of the catalog."""

    def __init__(self, start: int, quotes: Mapping[str, Quotes] | None = None) -> None:
        self._quotes = dict(quotes or {})
        self._new: dict[str, list[tuple[int, float, float]]] = {}
        self.start = min([start, *(int(q.time[0]) for q in self._quotes.values() if len(q))])

    def add(self, symbol: str, time: int, bid: float, ask: float) -> None:
        """One more quote, not older than the newest one."""
        if not 0.0 < bid <= ask < float("inf"):
            raise InvalidField("bid, ask", (bid, ask), "prices above 0, the ask not below the bid")
        old = self.newest(symbol, 2**62)
        if len(old) and time < int(old.time[-1]):
            raise InvalidField("time", time, f"{old.time[-1]} or later")
        self._new.setdefault(symbol, []).append((time, bid, ask))

    def between(self, symbol: str, since: int, until: int) -> Quotes:
        quotes = self._all(symbol)
        first, end = np.searchsorted(quotes.time, [since, until], side="right")
        return quotes[int(first) : int(end)]

    def newest(self, symbol: str, moment: int) -> Quotes:
        quotes = self._all(symbol)
        end = int(np.searchsorted(quotes.time, moment, side="right"))
        return quotes[max(0, end - 1) : end]

    def _all(self, symbol: str) -> Quotes:
        new = self._new.pop(symbol, None)
        if new:
            time, bid, ask = zip(*new, strict=True)
            part = Quotes(time=np.array(time, dtype=np.int64), bid=np.array(bid), ask=np.array(ask))
            self._quotes[symbol] = Quotes.concat([self._quotes.get(symbol, EMPTY), part])
        return self._quotes.get(symbol, EMPTY)
