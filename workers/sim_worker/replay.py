"""A market that moves with the rows of a replay.

Pure, but for its sources, which the tape reads as it goes. What lies behind the strategy is let go.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from sim_worker.bars import resample
from sim_worker.engine import Change, Engine
from sim_worker.horizon import Lookout, Span
from sim_worker.market import run, run_together
from sim_worker.quotes import Bars, Quotes
from sim_worker.tape import PER_BAR, RANGE, Block, Tape

#: A row that no replay reaches.
FAR: Final = 2**62
#: How many chunks a client may be ahead of what has been read.
AHEAD: Final = 64

#: The M1 bars of a symbol from the start of the replay up to a time.
Past = Callable[[str, int], Sequence[Bars]]


@dataclass(frozen=True, slots=True)
class RowChunk:
    """Some rows: the columns of each stream, and which stream each row is of (empty: there is only one)."""

    count: int
    parts: tuple[tuple[bytes, ...], ...]
    order: bytes
    end: bool


class ReplayMarket:
    """The rows of a tape, and the quotes that the engine sees up to each of them. `again` begins the tape anew."""

    replays = True

    def __init__(self, again: Callable[[], Tape], past: Past) -> None:
        self.again, self._tape, self._read_past = again, again(), past
        self._blocks: deque[Block] = deque()
        self._finished = False
        self._past: dict[str, list[Bars]] = {}  # of the symbols whose history was asked for
        self._behind = 0  # the time up to which blocks were let go
        self._horizon, self._version, self._row = -1, -1, -1
        while not self.known_rows and self._read():
            pass
        first = self._blocks[0] if self._blocks else None
        self._done = dict.fromkeys(first.sources, 0) if first else {}  # quotes of the first block that were seen
        begun = [int(source.time[0]) for source in first.sources.values() if len(source)] if first else []
        self._now = min(begun, default=0)  # the time of the newest quote that the engine has seen
        self.synthetic = any(source.synthetic for block in self._blocks for source in block.sources.values())

    @property
    def known_rows(self) -> int:
        """How many rows have been read so far."""
        return self._blocks[-1].end if self._blocks else 0

    def _read(self) -> bool:
        block = None if self._finished else self._tape.next()
        if block is None:
            self._finished = True
            return False
        self._blocks.append(block)
        return True

    # ---- rows ----------------------------------------------------------------------------------------------------

    def rows(self, start: int, count: int) -> RowChunk | None:
        """The rows from `start` on. None for those that were let go, or that are far ahead of what has been read."""
        if start < self._blocks[0].first or start > self.known_rows + AHEAD * count:
            return None
        while self.known_rows <= start + count and self._read():
            pass
        end = min(start + count, self.known_rows)
        found = [
            block.packed(max(start, block.first), min(end, block.end))
            for block in self._blocks
            if block.first < end and block.end > start
        ]
        parts, order = found[0] if len(found) == 1 else _joined(found)
        return RowChunk(max(0, end - start), tuple(parts), order, end == self.known_rows)

    # ---- the engine ----------------------------------------------------------------------------------------------

    def advance(self, engine: Engine, to: int) -> list[Change]:
        """Let the engine see every quote up to a row."""
        changes: list[Change] = []
        quiet = to < self.horizon(engine)
        while to >= self._blocks[0].end and (len(self._blocks) > 1 or self._read()):
            changes += self._show(engine, self._blocks[0], None, quiet)
            self._let_go()
        if to >= self._blocks[0].first:
            changes += self._show(engine, self._blocks[0], to, quiet)
        self._row = max(self._row, to)
        if not quiet:  # something may have happened that is no change of an order, such as a swap
            self._horizon = -1
        return changes

    def forget(self, engine: Engine, at: int) -> list[Change]:
        """The strategy has come to this row, and nothing has happened to it before: let go of what lies behind."""
        return self.advance(engine, at) if at >= self._blocks[0].end else []

    def _show(self, engine: Engine, block: Block, row: int | None, quiet: bool) -> list[Change]:
        """Quotes of a block up to a row, or all of them. `quiet`: it is known that nothing happens in them."""
        done = self._done
        news = {symbol: end for symbol, start in done.items() if (end := self._stop(block, symbol, row)) > start}
        if not news:
            return []
        self._done = {**done, **news}
        if quiet:
            return [c for symbol, end in news.items() for c in self._jump(engine, symbol, block, done[symbol], end)]
        for symbol, end in news.items():
            self._now = max(self._now, block.quote(symbol, end - 1)[0])
        return run_together(engine, {symbol: block.part(symbol, done[symbol], end) for symbol, end in news.items()})

    def _jump(self, engine: Engine, symbol: str, block: Block, start: int, end: int) -> list[Change]:
        """Only the last one of these quotes matters."""
        newest = block.quote(symbol, end - 1)
        self._now = max(self._now, newest[0])
        if engine.has_sessions(symbol):
            return run(engine, symbol, block.part(symbol, start, end))
        return engine.quote(symbol, *newest)

    def _stop(self, block: Block, symbol: str, row: int | None) -> int:
        if row is None or row >= block.end:
            return block.count(symbol)
        return int(block.seen(symbol)[row - block.first]) if row >= block.first else 0

    def _let_go(self) -> None:
        block = self._blocks.popleft()
        self._done = dict.fromkeys(self._done, 0)
        self._behind = block.cut
        for symbol, bars in self._past.items():
            bars.append(block.minutes(symbol))

    def watch(self, symbol: str) -> bool:
        return symbol in self._done

    def now(self, to: int) -> int:
        """The time of the newest quote up to a row."""
        if to <= self._row:
            return self._now
        block = next((block for block in self._blocks if to < block.end), self._blocks[-1])
        stops = {symbol: self._stop(block, symbol, to) for symbol in self._done}
        return max((block.quote(s, end - 1)[0] for s, end in stops.items() if end), default=self._now)

    # ---- what comes ----------------------------------------------------------------------------------------------

    def horizon(self, engine: Engine) -> int:
        if self._horizon < 0 or self._version != engine.version:
            self._version = engine.version
            self._horizon = self._find_horizon(engine)
        return self._horizon

    def _find_horizon(self, engine: Engine) -> int:
        if engine.idle:
            return FAR
        lookouts = [(symbol, start, engine.lookout(symbol)) for symbol, start in self._done.items()]
        for number, block in enumerate(self._blocks):  # quotes of every symbol move the clock, and what ends by it
            row = min(self._first_row(lookout, block, s, 0 if number else start) for s, start, lookout in lookouts)
            if row < FAR:
                return row
        return FAR if self._finished else self.known_rows

    def _first_row(self, lookout: Lookout, block: Block, symbol: str, start: int) -> int:
        """The row that shows the first quote from `start` on at which something can happen; FAR when there is none."""
        at = _first_event(lookout, block, symbol, start)
        if at >= block.count(symbol):
            return FAR
        return block.first + int(np.searchsorted(block.seen(symbol), at, side="right"))

    # ---- what was ------------------------------------------------------------------------------------------------

    def history(self, symbol: str, minutes: int, to: int) -> Quotes | Bars | None:
        if symbol not in self._done:
            return None
        found: list[Bars] = []
        for block in self._blocks:
            if block.first > to:
                break
            found.append(self._minutes(block, symbol, to))
        found = self._history(symbol) + found if self._behind else found
        kept, count = [], 0
        while found and count < minutes:
            kept.append(found.pop()[-(minutes - count) :])
            count += len(kept[-1])
        return Bars.concat(kept[::-1]) if kept else self._blocks[0].minutes(symbol)[:0]

    def _minutes(self, block: Block, symbol: str, to: int) -> Bars:
        """The M1 bars of a block up to a row; the last minute may not be over."""
        bars, stop = block.minutes(symbol), self._stop(block, symbol, to)
        quotes = block.quotes(symbol)
        if stop == len(quotes):
            return bars
        last = int(np.searchsorted(bars.time, quotes.time[stop - 1], side="right")) if stop else 0
        source = block.sources[symbol]
        if isinstance(source, Bars) or not last:
            return bars[:last]
        begun = int(np.searchsorted(quotes.time, bars.time[last - 1]))
        return Bars.concat([bars[: last - 1], resample(quotes[begun:stop], "M1")])

    def _history(self, symbol: str) -> list[Bars]:
        """What was let go; read again when it is asked for the first time."""
        if symbol not in self._past:
            self._past[symbol] = list(self._read_past(symbol, self._behind))
        return list(self._past[symbol])


def _first_event(lookout: Lookout, block: Block, symbol: str, start: int) -> int:
    """The first quote at which something can happen; their number when there is none."""
    source, count = block.sources[symbol], block.count(symbol)
    if start >= count:
        return count
    if lookout.has_sessions or (isinstance(source, Quotes) and source.last is not None):
        return start + _raw(lookout, block.part(symbol, start, count))
    if lookout.quiet(*block.extremes(symbol)):
        return max(start, block.since(symbol, lookout.deadline))
    ranges, at = block.ranges(symbol), start // RANGE
    total = len(ranges.time)
    while at < total:
        bids, asks = Span(*ranges.bids).part(at, total), Span(*ranges.asks).part(at, total)
        at += lookout.first(ranges.time[at:], bids, asks)
        if at < total:
            first, end = max(start, at * RANGE), min((at + 1) * RANGE, count)
            hit = first + _within(lookout, block, symbol, first, end)
            if hit < end:
                return hit
        at += 1
    return count


def _within(lookout: Lookout, block: Block, symbol: str, first: int, end: int) -> int:
    """Of M1 bars, the first quote of the bar in which it happens: a row shows all four of them."""
    source = block.sources[symbol]
    if isinstance(source, Quotes):
        return _raw(lookout, source[first:end])
    bars = block.bars(symbol, first, end)
    return lookout.first(bars.time, Span(*bars.bids), Span(*bars.asks)) * PER_BAR


def _raw(lookout: Lookout, quotes: Quotes) -> int:
    last = None if quotes.last is None else Span(quotes.last, quotes.last)
    return lookout.first(quotes.time, Span(quotes.bid, quotes.bid), Span(quotes.ask, quotes.ask), last)


def _joined(found: list[tuple[list[tuple[bytes, ...]], bytes]]) -> tuple[list[tuple[bytes, ...]], bytes]:
    """The rows of several blocks, one after another."""
    if not found:
        return [], b""
    streams = zip(*(parts for parts, _ in found), strict=True)
    columns = [tuple(b"".join(column) for column in zip(*parts, strict=True)) for parts in streams]
    return columns, b"".join(order for _, order in found)
