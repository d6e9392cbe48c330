"""What happens in a replay, in the order of time: the quotes of several symbols, and the rows that a strategy sees.

Pure. The sources are read piece by piece, so a range of any length is held a stretch (a `Block`) at a time. Stretches
are cut at whole minutes: an M1 bar and its four quotes lie in one of them.

A bar is shown when its period is over, after every quote of every symbol up to then; a tick right after its own quote.
Rows of the same moment come in the order of the streams.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from mas_router.columns import BAR_CODES, TICK_CODES
from sim_worker.bars import period_ends, resample
from sim_worker.quotes import MINUTE, QUOTE_OFFSETS, Bars, FloatArray, IntArray, Quotes

Source = Quotes | Bars
Columns = tuple[IntArray | FloatArray, ...]
Chunks = Iterator[Quotes] | Iterator[Bars] | Iterator[Source]
#: Later than any time.
_END: Final = 2**63 - 1
PER_BAR: Final = len(QUOTE_OFFSETS)
RANGE: Final = 256


@dataclass(frozen=True, slots=True)
class Stream:
    """Rows that a strategy asked for: the bars of a timeframe of a symbol or, without a timeframe, its ticks."""

    symbol: str
    timeframe: str = ""


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one stream in a block, and the moment at which each is shown."""

    stream: Stream
    moments: IntArray
    columns: Columns

    def packed(self, first: int, end: int) -> tuple[bytes, ...]:
        """Some rows in the form in which a `messages.Chunk` carries them."""
        codes = BAR_CODES if self.stream.timeframe else TICK_CODES
        return tuple(c[first:end].astype("<" + code).tobytes() for code, c in zip(codes, self.columns, strict=True))


@dataclass(frozen=True, slots=True)
class Ranges:
    """Groups of RANGE quotes each: the time of the last one, the lowest and the highest prices."""

    time: IntArray
    bids: tuple[FloatArray, FloatArray]
    asks: tuple[FloatArray, FloatArray]


def _ranges(source: Source) -> Ranges:
    """For M1 bars without making their quotes, of which no ask is below its bid."""
    if isinstance(source, Bars):
        bids, asks, size = (source.low, source.high), (source.ask_low, source.ask_high), RANGE // PER_BAR
        asks, after = (asks[0], np.maximum(asks[1], bids[1])), QUOTE_OFFSETS[-1]
    else:
        bids, asks, size, after = (source.bid, source.bid), (source.ask, source.ask), RANGE, 0
    first = np.arange(0, len(source), size)
    if not len(first):
        return Ranges(source.time, bids, asks)
    last = np.minimum(first + size, len(source)) - 1
    low, high = np.minimum.reduceat, np.maximum.reduceat
    spans = [(low(lows, first), high(highs, first)) for lows, highs in (bids, asks)]
    return Ranges(source.time[last] + after, *spans)


class Block:
    """A stretch of time: `sources` are the quotes of each symbol, `parts` the rows of each stream in it.

    `first` is the number of its first row in the replay, `cut` the time before which everything in it happened.
    """

    def __init__(self, first: int, cut: int, sources: Mapping[str, Source], parts: Sequence[Rows]) -> None:
        self.first, self.cut, self.sources, self.parts = first, cut, sources, parts
        moments = np.concatenate([rows.moments for rows in parts])
        self.rows = len(moments)
        self.order: IntArray | None = None  # which stream each row is of; None when there is only one
        if len(parts) > 1:
            streams = np.repeat(np.arange(len(parts)), [len(rows.moments) for rows in parts])
            sorting = np.argsort(moments, kind="stable")
            self.order, moments = streams[sorting], moments[sorting]
        self.moments = moments
        self._quotes: dict[str, Quotes] = {}
        self._seen: dict[str, IntArray] = {}
        self._ranges: dict[str, Ranges] = {}
        self._minutes: dict[str, Bars] = {}
        self._extremes: dict[str, tuple[float, float, float, float]] = {}

    @property
    def end(self) -> int:
        """The number of the row after its last one."""
        return self.first + self.rows

    def quotes(self, symbol: str) -> Quotes:
        """The quotes of a symbol; four for each M1 bar."""
        found = self._quotes.get(symbol)
        if found is None:
            source = self.sources[symbol]
            found = self._quotes[symbol] = source if isinstance(source, Quotes) else source.quotes()
        return found

    def count(self, symbol: str) -> int:
        """How many quotes of a symbol there are."""
        source = self.sources[symbol]
        return len(source) * PER_BAR if isinstance(source, Bars) else len(source)

    def part(self, symbol: str, start: int, end: int) -> Quotes:
        """Some of the quotes of a symbol."""
        source = self.sources[symbol]
        if isinstance(source, Quotes) or symbol in self._quotes:
            return self.quotes(symbol)[start:end]
        first = start // PER_BAR
        quotes = source[first : -(-end // PER_BAR)].quotes()
        return quotes[start - first * PER_BAR : end - first * PER_BAR]

    def quote(self, symbol: str, number: int) -> tuple[int, float, float, float]:
        """Time, bid, ask and last of one quote; `last` is 0 where there are none."""
        source = self.sources[symbol]
        bar, rest = divmod(number, PER_BAR)
        if isinstance(source, Bars) and rest == PER_BAR - 1:
            bid = float(source.close[bar])
            return int(source.time[bar]) + QUOTE_OFFSETS[-1], bid, max(float(source.ask_close[bar]), bid), 0.0
        quotes = self.quotes(symbol)
        last = 0.0 if quotes.last is None else float(quotes.last[number])
        return int(quotes.time[number]), float(quotes.bid[number]), float(quotes.ask[number]), last

    def seen(self, symbol: str) -> IntArray:
        """How many quotes of the symbol have happened when each row is shown."""
        found = self._seen.get(symbol)
        if found is None:
            found = self._seen[symbol] = self._count(symbol)
        return found

    def _count(self, symbol: str) -> IntArray:
        source = self.sources[symbol]
        if isinstance(source, Bars) and self.order is None and self.parts[0].stream == Stream(symbol, source.timeframe):
            return np.arange(1, len(source) + 1) * PER_BAR
        if isinstance(source, Bars) and all(rows.stream.timeframe for rows in self.parts):
            return np.searchsorted(source.time, self.moments, side="right") * PER_BAR
        times = self.quotes(symbol).time
        place = next((n for n, rows in enumerate(self.parts) if rows.stream == Stream(symbol)), None)
        if place is None:
            return np.searchsorted(times, self.moments, side="right")
        if self.order is None:
            return np.arange(1, len(times) + 1)
        # Among ticks of the same moment, those of the streams before this one come first, the others later.
        before = np.searchsorted(times, self.moments, side="left")
        seen = np.where(self.order < place, before, np.searchsorted(times, self.moments, side="right"))
        seen[self.order == place] = np.arange(1, len(times) + 1)
        return seen

    def ranges(self, symbol: str) -> Ranges:
        """The quotes of a symbol in groups of RANGE."""
        found = self._ranges.get(symbol)
        if found is None:
            found = self._ranges[symbol] = _ranges(self.sources[symbol])
        return found

    def extremes(self, symbol: str) -> tuple[float, float, float, float]:
        """The lowest and the highest bid and ask of a symbol that has quotes."""
        found = self._extremes.get(symbol)
        if found is None:
            (low, high), (ask_low, ask_high) = self.ranges(symbol).bids, self.ranges(symbol).asks
            found = float(low.min()), float(high.max()), float(ask_low.min()), float(ask_high.max())
            self._extremes[symbol] = found
        return found

    def since(self, symbol: str, time: int) -> int:
        """The number of the first quote at or after a time; of M1 bars, the first one of the bar that has it."""
        source = self.sources[symbol]
        if isinstance(source, Quotes):
            return int(np.searchsorted(source.time, time, side="left"))
        return int(np.searchsorted(source.time, time - QUOTE_OFFSETS[-1], side="left")) * PER_BAR

    def bars(self, symbol: str, start: int, end: int) -> Ranges:
        """The M1 bars that have these quotes, as groups of quotes."""
        source = self.sources[symbol]
        if not isinstance(source, Bars):
            raise TypeError("there are no bars of this symbol")
        part = slice(start // PER_BAR, -(-end // PER_BAR))
        bids, asks = (source.low[part], source.high[part]), (source.ask_low[part], source.ask_high[part])
        return Ranges(source.time[part] + QUOTE_OFFSETS[-1], bids, (asks[0], np.maximum(asks[1], bids[1])))

    def minutes(self, symbol: str) -> Bars:
        """The M1 bars of a symbol."""
        found = self._minutes.get(symbol)
        if found is None:
            found = self._minutes[symbol] = _in(self.sources[symbol], "M1")
        return found

    def packed(self, first: int, end: int) -> tuple[list[tuple[bytes, ...]], bytes]:
        """Rows first <= number < end of the replay: the columns of each stream, and which stream each row is of."""
        start, stop = first - self.first, end - self.first
        if self.order is None:
            return [self.parts[0].packed(start, stop)], b""
        order, before = self.order[start:stop], self.order[:start]
        parts = []
        for number, rows in enumerate(self.parts):
            above = int(np.count_nonzero(before == number))
            parts.append(rows.packed(above, above + int(np.count_nonzero(order == number))))
        return parts, order.astype(np.uint8).tobytes()


class _Feed:
    """The quotes of one symbol as they come, and those that are not in a block yet."""

    def __init__(self, chunks: Iterable[Source]) -> None:
        self._chunks = iter(chunks)
        self.held: Source | None = None
        self.finished = False

    def read(self) -> None:
        """Take in one more piece, or find that there is none."""
        part = next(self._chunks, None)
        if part is None:
            self.finished = True
        elif len(part):
            self.held = part if self.held is None or not len(self.held) else _joined(self.held, part)

    def take(self, cut: int) -> Source | None:
        """What is before a time; that leaves it."""
        held = self.held
        if held is None:
            return None
        end = int(np.searchsorted(held.time, cut, side="left"))
        self.held = held[end:]
        return held[:end]

    @property
    def empty(self) -> bool:
        return self.held is None or not len(self.held)

    def reaches(self) -> int:
        """Everything before this time is here."""
        if self.finished or self.held is None:
            return _END if self.finished else 0
        return int(self.held.time[-1]) // MINUTE * MINUTE if len(self.held) else 0


def _joined(one: Source, other: Source) -> Source:
    if isinstance(one, Bars) and isinstance(other, Bars):
        return Bars.concat([one, other])
    if isinstance(one, Quotes) and isinstance(other, Quotes):
        return Quotes.concat([one, other])
    raise TypeError("a source has either bars or ticks")


class _Bars:
    """The bars of a stream as their periods end; one that has begun waits for its rest."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self._begun: Bars | None = None

    def rows(self, source: Source | None, cut: int) -> Rows:
        """The bars whose periods end up to `cut`."""
        timeframe = self.stream.timeframe
        bars = None if source is None else _in(source, timeframe)
        if self._begun is not None and len(self._begun):
            bars = self._begun if bars is None else resample(Bars.concat([self._begun, bars]), timeframe)
        if bars is None:
            return Rows(self.stream, *_NOTHING)
        ends = period_ends(bars.time, timeframe)
        complete = int(np.searchsorted(ends, cut, side="right"))
        self._begun, bars = bars[complete:], bars[:complete]
        columns = (bars.time, bars.open, bars.high, bars.low, bars.close, bars.volume)
        return Rows(self.stream, ends[:complete] - 1, columns)


def _in(source: Source, timeframe: str) -> Bars:
    as_it_is = isinstance(source, Bars) and source.timeframe == timeframe
    return source if as_it_is and isinstance(source, Bars) else resample(source, timeframe)


_NO_TIMES: Final = np.empty(0, dtype=np.int64)
_NO_PRICES: Final = np.empty(0)
_NOTHING: Final = (_NO_TIMES, (_NO_TIMES, _NO_PRICES, _NO_PRICES, _NO_PRICES, _NO_PRICES, _NO_TIMES))
_NO_TICKS: Final = Quotes(time=_NO_TIMES, bid=_NO_PRICES, ask=_NO_PRICES)


class _Ticks:
    """The ticks of a stream. `last` and `volume` are 0 where the market has none, as in MT5's MqlTick."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream

    def rows(self, source: Source | None, cut: int) -> Rows:
        quotes = source if isinstance(source, Quotes) else _NO_TICKS
        count = len(quotes)
        last = np.zeros(count) if quotes.last is None else quotes.last
        volume = np.zeros(count, dtype=np.int64) if quotes.volume is None else quotes.volume
        return Rows(self.stream, quotes.time, (quotes.time, quotes.bid, quotes.ask, last, volume))


class Tape:
    """The blocks of a replay, made as they are asked for.

    `sources` gives for each symbol its quotes, or its M1 bars, in time order; there may be symbols without a stream,
    whose quotes only convert money. A stream of ticks needs quotes.
    """

    def __init__(self, sources: Mapping[str, Chunks], streams: Sequence[Stream]) -> None:
        self.streams = tuple(streams)
        self._feeds = {symbol: _Feed(chunks) for symbol, chunks in sources.items()}
        self._makers = [_Bars(stream) if stream.timeframe else _Ticks(stream) for stream in streams]
        self._rows = 0

    def next(self) -> Block | None:
        """The next stretch; it may be without a row. None at the end."""
        cut = self._read()
        if cut is None:
            return None
        taken = {symbol: feed.take(cut) for symbol, feed in self._feeds.items()}
        parts = [maker.rows(taken[maker.stream.symbol], cut) for maker in self._makers]
        sources = {symbol: _NO_TICKS if part is None else part for symbol, part in taken.items()}
        block = Block(self._rows, cut, sources, parts)
        self._rows = block.end
        return block

    def _read(self) -> int | None:
        """Read until there is a time before which everything is here; None when there is nothing more."""
        feeds = self._feeds.values()
        if all(feed.finished for feed in feeds):
            return None
        while True:
            for feed in feeds:
                if feed.empty and not feed.finished:
                    feed.read()
            cut = min(feed.reaches() for feed in feeds)
            if cut == _END or any(f.held is not None and len(f.held) and f.held.time[0] < cut for f in feeds):
                return cut
            for feed in feeds:
                if feed.reaches() == cut:
                    feed.read()
