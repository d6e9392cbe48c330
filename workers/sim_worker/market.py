"""The market of one session: which quotes the engine sees, and when.

Pure: time comes in as an argument. Two kinds: `WallMarket` follows the wall clock with a synthetic feed,
`replay.ReplayMarket` follows the rows of a replay. Both move the engine from event to event with array scans
(`Engine.next_event`), so a quote at which nothing can happen costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from sim_worker.engine import Change, Engine
from sim_worker.history import wall_bars
from sim_worker.quotes import Bars, Quotes
from sim_worker.rates import conversion_symbols
from sim_worker.specs import SymbolSpec
from sim_worker.synthetic import SyntheticFeed

MS = 1_000_000
WALL_INTERVAL = 250 * MS
#: After a long sleep the feed is caught up in slices of this many ticks, so memory stays bounded.
SLICE = 14_400


class Market(Protocol):
    """Quotes for an engine."""

    synthetic: bool
    replays: bool

    def advance(self, engine: Engine, to: int) -> list[Change]:
        """Bring the engine to this moment: a wall-clock time (ns) or a row. Never goes back."""

    def watch(self, symbol: str) -> bool:
        """Make sure that a symbol is quoted; False if this market has no such symbol."""

    def horizon(self, engine: Engine) -> int:
        """The first row at which anything can happen; 0 on the wall clock."""

    def now(self, to: int) -> int:
        """The market's time (UTC ns) at that moment."""

    def history(self, symbol: str, minutes: int, to: int) -> Quotes | Bars | None:
        """What bars up to that moment are made of, the last `minutes` at least; None for a symbol that it has not."""


def run(engine: Engine, symbol: str, quotes: Quotes) -> list[Change]:
    """Feed quotes of one symbol, touching the engine only where something can happen, and at the end."""
    changes: list[Change] = []
    start, end = 0, len(quotes)
    while start < end:
        lasts = None if quotes.last is None else quotes.last[start:]
        at = start + engine.next_event(symbol, quotes.time[start:], quotes.bid[start:], quotes.ask[start:], lasts)
        at = min(at, end - 1)
        if at > start and quotes.time[at] >= engine.end_of_day:
            changes += feed(engine, symbol, quotes, at - 1)  # the day's last prices are those of its swaps
        changes += feed(engine, symbol, quotes, at)
        start = at + 1
    return changes


def feed(engine: Engine, symbol: str, quotes: Quotes, row: int) -> list[Change]:
    """One quote of a table."""
    last = 0.0 if quotes.last is None else float(quotes.last[row])
    return engine.quote(symbol, int(quotes.time[row]), float(quotes.bid[row]), float(quotes.ask[row]), last)


class WallMarket:
    """A market around the clock whose ticks are a function of seed, symbol and time."""

    synthetic = True
    replays = False

    def __init__(self, seed: int, start: int, find: Callable[[str], SymbolSpec | None], currency: str) -> None:
        self._seed, self._start, self._find, self._currency = seed, start, find, currency
        self._feeds: dict[str, SyntheticFeed] = {}
        self._seen: dict[str, int] = {}
        self._tick = -1  # all feeds tick together

    def watch(self, symbol: str) -> bool:
        spec = self._find(symbol)
        if spec is None:
            return False
        for name in (symbol, *conversion_symbols(spec, self._currency, self._find)):
            other = self._find(name)
            if name not in self._feeds and other is not None:
                self._feeds[name] = SyntheticFeed(self._seed, other, self._start, WALL_INTERVAL)
                self._seen[name] = self._tick = -1
        return True

    def advance(self, engine: Engine, to: int) -> list[Change]:
        tick = (to - self._start) // WALL_INTERVAL
        if tick <= self._tick:
            return engine.clock(to)
        self._tick, changes = tick, []
        active = sorted(engine.active_symbols() & self._feeds.keys())
        if active:
            changes += self._follow(engine, active, tick)
        for symbol in sorted(self._feeds.keys() - set(active)):
            changes += self._jump(engine, symbol, tick)
        return changes + engine.clock(to)

    def _jump(self, engine: Engine, symbol: str, tick: int) -> list[Change]:
        """Nothing rests in this symbol: only its newest tick matters."""
        self._seen[symbol] = tick
        return run(engine, symbol, self._feeds[symbol].quotes(tick, 1))

    def _follow(self, engine: Engine, active: list[str], last: int) -> list[Change]:
        """All ticks of the active symbols, in the order of time, in slices that fit in memory."""
        changes: list[Change] = []
        first = min(self._seen[symbol] for symbol in active) + 1
        for start in range(first, last + 1, SLICE):
            stop = min(start + SLICE, last + 1)
            parts = {s: self._quotes(s, stop) for s in active}
            changes += run_together(engine, parts)
        return changes

    def _quotes(self, symbol: str, stop: int) -> Quotes:
        first = self._seen[symbol] + 1
        self._seen[symbol] = max(stop - 1, self._seen[symbol])
        return self._feeds[symbol].quotes(first, max(0, stop - first))

    def horizon(self, engine: Engine) -> int:
        return 0

    def now(self, to: int) -> int:
        return to

    def history(self, symbol: str, minutes: int, to: int) -> Quotes | Bars | None:
        spec = self._find(symbol)
        if spec is None or not self.watch(symbol):
            return None
        tick = max(0, (to - self._start) // WALL_INTERVAL)
        return wall_bars(self._feeds[symbol], self._seed, spec, minutes, tick)


def run_together(engine: Engine, parts: dict[str, Quotes]) -> list[Change]:
    """Feed quotes of several symbols in the order of time: always up to the earliest event of any of them."""
    if len(parts) == 1:
        ((symbol, quotes),) = parts.items()
        return run(engine, symbol, quotes)
    changes: list[Change] = []
    while parts := {s: q for s, q in parts.items() if len(q)}:
        moments = {s: _event_time(engine, s, q) for s, q in parts.items()}
        moment = min(moments.values())
        # Nothing happens before that moment. At it, every symbol must be where it was then: they convert each other.
        for symbol, quotes in sorted(parts.items()):
            before = int(np.searchsorted(quotes.time, moment, side="left"))
            changes += feed(engine, symbol, quotes, before - 1) if before else []
            parts[symbol] = quotes[before:]
        for symbol, quotes in sorted(parts.items()):
            stop = int(np.searchsorted(quotes.time, moment, side="right"))
            changes += run(engine, symbol, quotes[:stop])
            parts[symbol] = quotes[stop:]
    return changes


def _event_time(engine: Engine, symbol: str, quotes: Quotes) -> int:
    at = engine.next_event(symbol, quotes.time, quotes.bid, quotes.ask, quotes.last)
    return int(quotes.time[min(at, len(quotes) - 1)])
