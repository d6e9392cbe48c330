"""When can something happen? The first of the coming quotes that could change anything, found with array scans.

Pure, and reads only. It may answer too early, never too late. The triggers are a comparison with the nearest levels.
The stop-out is bounded: profit and margin of every symbol are monotone in each single price, so over any range of
quotes the worst corner of the range decides, and only a range that is not safe is split further.
"""

from __future__ import annotations

from math import inf
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mas_router.errors import InvalidField
from sim_worker.book import Book
from sim_worker.margins import risk_margin
from sim_worker.rates import Quote
from sim_worker.sessions import Hours
from sim_worker.specs import SymbolSpec
from sim_worker.symbol_book import SymbolBook
from sim_worker.valuation import Marks, floating_floor, holding, stop_line

Prices = NDArray[np.float64]
Times = NDArray[np.int64]
#: The lowest and highest bids, asks, and prices at which positions are valued (those of long and of short ones).
Range = tuple[float, float, float, float, float, float]


class Span(NamedTuple):
    """The lowest and the highest price of each row; the same array twice where a row is one quote."""

    low: Prices
    high: Prices

    def part(self, start: int, stop: int) -> Span:
        low = self.low[start:stop]
        return Span(low, low if self.high is self.low else self.high[start:stop])


#: Half a point, and a bit: a quote is rounded to whole points when it comes.
_HALF: Final = 0.51
_FIRST_BLOCK: Final = 512
_LAST_BLOCK: Final = 65_536


class Lookout:
    """What could happen at the coming quotes of one symbol. It counts until the account or any quote changes."""

    def __init__(self, book: Book, symbol: str) -> None:
        side = book.symbol(symbol)
        if side is None:
            raise InvalidField("symbol", symbol, "a symbol of this trade server")
        if side.stale:
            side.refresh()
        self._side, self.deadline = side, book.deadline
        #: The first quote of a symbol may open a shorter way of conversion.
        self._unquoted = bool(book.positions or book.reserving) and symbol not in book.quotes
        self._guard = MarginGuard(book, side.spec)
        self._idle = not (side.orders or side.positions or self._guard.matters)

    @property
    def has_sessions(self) -> bool:
        """Are there times at which quotes of this symbol do not count?"""
        return self._side.quoting is not None

    def quiet(self, bid_low: float, bid_high: float, ask_low: float, ask_high: float) -> bool:
        """Does no quote within these prices change anything before the deadline? Where the last price is the bid."""
        side, guard = self._side, self._guard
        if self._unquoted or guard.stopped:
            return False
        low, high = (bid_low, bid_high) if side.by_last else (ask_low, ask_high)
        safe = guard.safe((bid_low, bid_high, ask_low, ask_high, bid_low, high))
        half = side.spec.point * _HALF
        within = side.bid_low + half < bid_low and bid_high < side.bid_high - half
        return safe and within and side.ask_low + half < low and high < side.ask_high - half

    def first(self, times: Times, bids: Span, asks: Span, lasts: Span | None = None) -> int:
        """The first index at which something could change, as long as the other symbols' quotes stay; else the length.

        A row is one quote, or several: the time of the last of them, and the span of their prices.
        """
        side, start = self._side, 0
        if self._unquoted:
            return 0
        end = int(np.searchsorted(times, self.deadline, side="left")) if len(times) else 0
        if side.quoting is not None:
            start, end = _quoted(side.quoting, times, end)
        if self._guard.stopped:
            return min(start, end)
        return end if self._idle else self._scan(start, end, bids, asks, lasts)

    def _scan(self, start: int, end: int, bids: Span, asks: Span, lasts: Span | None) -> int:
        side, block = self._side, _FIRST_BLOCK
        while start < end:
            stop = min(start + block, end)
            sold, bought = bids.part(start, stop), asks.part(start, stop)
            part = Block(sold, bought, sold, bought)
            if side.by_last:
                last = (bids if lasts is None else lasts).part(start, stop)
                part = Block(sold, bought, last, last)
            hit = _first_in(side, self._guard, part)
            if start + hit < stop:
                return start + hit
            start, block = stop, min(block * 4, _LAST_BLOCK)
        return end


def _quoted(hours: Hours, times: Times, end: int) -> tuple[int, int]:
    """Where among the rows before `end` quotes count, and the row that must be seen at the latest.

    Rows outside the quote sessions change nothing. The last row of a session must not be jumped over: it stays the
    newest quote until the next session.
    """
    start = 0
    while start < end and hours.closed(int(times[start])):
        start = int(np.searchsorted(times, hours.until(int(times[start])), side="left"))
    if start >= end:
        return end, end
    stop = int(np.searchsorted(times, hours.until(int(times[start])), side="left"))
    return start, end if stop >= end else stop - 1


def active_symbols(book: Book) -> frozenset[str]:
    """Symbols whose quotes can change anything: with orders or positions, or converting the money of positions."""
    names = {name for name, side in book.symbols.items() if side.orders or side.positions}
    for side in holding(book):
        names |= conversion_legs(book, side)
    return frozenset(names)


def conversion_legs(book: Book, side: SymbolBook) -> set[str]:
    spec = side.spec
    routes = (book.route(spec, spec.currency_profit), book.route(spec, spec.currency_margin))
    return {name for route in routes for name, _ in route}


def _first_in(side: SymbolBook, guard: MarginGuard, block: Block) -> int:
    low, high = side.spec.point * _HALF, -side.spec.point * _HALF
    bid_low, bid_high = side.bid_low + low, side.bid_high + high
    ask_low, ask_high = side.ask_low + low, side.ask_high + high
    sells, buys, stop = block.sells, block.buys, len(block.bids.low)
    whole = block.range(0, stop)
    highest, lowest = (whole[1], whole[2]) if sells is block.bids else (sells.high.max(), buys.low.min())
    if not (bid_low < whole[4] and highest < bid_high and ask_low < lowest and whole[5] < ask_high):
        quiet = (sells.low > bid_low) & (sells.high < bid_high) & (buys.low > ask_low) & (buys.high < ask_high)
        stop = int(np.argmin(quiet))
        if stop == 0:
            return 0
        whole = block.range(0, stop)
    return stop if guard.safe(whole) else _split(guard, block, 0, stop)


def _split(guard: MarginGuard, block: Block, start: int, stop: int) -> int:
    """The first index in a range that is not safe as a whole, or its end when each half turns out to be safe."""
    if stop - start == 1:
        return start
    middle = (start + stop) // 2
    for first, last in ((start, middle), (middle, stop)):
        if not guard.safe(block.range(first, last)):
            found = _split(guard, block, first, last)
            if found < last:
                return found
    return stop


class Block(NamedTuple):
    """Some coming quotes. `sells` and `buys` are the prices that trigger: bids and asks, or the last prices."""

    bids: Span
    asks: Span
    sells: Span
    buys: Span

    def range(self, start: int, stop: int) -> Range:
        bids, asks = self.bids.part(start, stop), self.asks.part(start, stop)
        bid_low, bid_high = float(bids.low.min()), float(bids.high.max())
        ask_low, ask_high = float(asks.low.min()), float(asks.high.max())
        if self.sells is self.bids:
            return bid_low, bid_high, ask_low, ask_high, bid_low, ask_high
        low, high = self.sells.part(start, stop).low.min(), self.buys.part(start, stop).high.max()
        return bid_low, bid_high, ask_low, ask_high, float(low), float(high)


class MarginGuard:
    """Says whether the account stays above its stop-out level over a range of one symbol's quotes.

    What counts is the headroom: equity less the margin that the stop-out level asks for. When the quotes of several
    symbols count, each may use up only its share of it, because the others move at the same time.
    """

    def __init__(self, book: Book, spec: SymbolSpec) -> None:
        self._book, self._symbol = book, spec.name
        self._half = spec.point * _HALF
        constant, self._ratio = stop_line(book.account)
        self._moving: list[SymbolBook] = []
        self._rest = book.balance + book.aside - book.unit - constant
        names: set[str] = set()
        for side in holding(book):
            legs = conversion_legs(book, side) | {side.spec.name}
            names |= legs
            self._rest += side.swap
            if spec.name in legs:
                self._moving.append(side)
            else:
                self._rest += self._headroom(side, book.quotes)
        now = self._rest + sum(self._headroom(side, book.quotes) for side in self._moving)
        #: Is the account at its stop-out already? Then the next quote of any symbol closes something.
        self.stopped = bool(names) and now <= 0.0
        # What must remain; half of a fair share is kept for what two prices do to each other.
        self._least = max(0.0, now) * (1.0 - 0.5 / len(names)) if len(names) > 1 else 0.0
        self._proven: Range | None = None  # the newest prices that have been found safe

    @property
    def matters(self) -> bool:
        """Is there any position whose money depends on these quotes?"""
        return bool(self._moving)

    def _headroom(self, side: SymbolBook, quotes: dict[str, Quote], marks: Marks | None = None) -> float:
        margin = risk_margin(self._book, side, quotes)
        return (floating_floor(self._book, side, quotes, marks) if side.positions else 0.0) - self._ratio * margin

    def safe(self, prices: Range) -> bool:
        """Is there headroom at every quote within these lowest and highest bids and asks?"""
        if not self._moving or self._is_proven(prices):
            return True
        if not self._holds(prices):
            return False
        self._proven = prices
        return True

    def _is_proven(self, prices: Range) -> bool:
        """Are these prices within others that are safe?"""
        known = self._proven
        if known is None or not (known[0] <= prices[0] and prices[1] <= known[1] and known[4] <= prices[4]):
            return False
        return known[2] <= prices[2] and prices[3] <= known[3] and prices[5] <= known[5]

    def _holds(self, prices: Range) -> bool:
        half = self._half
        bid_low, bid_high, ask_low, ask_high = prices[0] - half, prices[1] + half, prices[2] - half, prices[3] + half
        marks = (prices[4] - half, prices[5] + half)
        quotes = dict(self._book.quotes)
        corners = ((bid_low, ask_low), (bid_low, ask_high), (bid_high, ask_low), (bid_high, ask_high))
        total = self._rest
        for side in self._moving:
            # A symbol's own positions lose most where the bid is lowest and the ask is highest.
            worst = inf
            own = side.spec.name == self._symbol
            for bid, ask in corners[1:2] if own else corners:
                quotes[self._symbol] = (0, bid, ask)
                worst = min(worst, self._headroom(side, quotes, marks if own else None))
            total += worst
        return total > self._least
