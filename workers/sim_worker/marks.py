"""What a report needs to value positions at each row of a replay: prices, and what a move of them is worth.

Pure, but for the tape, which is read once more from its start. Of several timeframes it is the finest one's rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from mas_router.columns import BAR_CODES
from mas_router.mt5_tables import TIMEFRAMES
from sim_worker.quotes import FloatArray, IntArray
from sim_worker.rates import Route, find_route
from sim_worker.specs import SymbolSpec
from sim_worker.tape import Block, Stream, Tape

Columns = tuple[bytes, ...]
Tail = tuple[float, float]
FIELDS: Final = 8


def finest(streams: Sequence[Stream]) -> list[int]:
    """Of each symbol, in their order, the stream of the shortest bars: the others' bars are made of them."""
    found: dict[str, int] = {}
    for number, (symbol, length) in enumerate((one.symbol, TIMEFRAMES.get(one.timeframe, 0)) for one in streams):
        if symbol not in found or length < TIMEFRAMES.get(streams[found[symbol]].timeframe, 0):
            found[symbol] = number
    return list(found.values())


def _packed(parts: Sequence[Sequence[FloatArray | IntArray]]) -> Columns:
    whole = [np.concatenate(column) for column in zip(*parts, strict=True)]
    codes = ("<i8", *("<f8",) * (FIELDS - 1))
    return tuple(column.astype(code).tobytes() for column, code in zip(whole, codes, strict=True))


class Marks:
    """The columns of `messages.Chunk` with marks, for each symbol: time, open, high, low, close, ask, long, short.

    `long` and `short`: a move of the price by 1 in the deposit currency, for one lot. Where MT5 converts a profit and
    a loss at different sides (outside Forex), it is the profit's. `find` knows the symbols' contracts.
    """

    def __init__(self, again: Callable[[], Tape], find: Callable[[str], SymbolSpec | None], currency: str) -> None:
        self._again, self._find, self._currency = again, find, currency
        self._tape = again()
        self._block: Block | None = None
        self._tails: dict[str, Tail] = {}  # the last bid and ask of each symbol before the block

    def rows(self, start: int, end: int) -> tuple[Columns, ...]:
        """Each symbol's marks among the rows start <= number < end of the replay. Cheap in ascending order."""
        if self._block is not None and start < self._block.first:
            self._tape, self._block, self._tails = self._again(), None, {}
        parts: list[list[list[FloatArray | IntArray]]] = []
        while start < end and (self._block is not None or self._next()):
            block = self._block
            if block is None or block.first >= end:
                break
            if block.end > start:
                parts.append(self._parts(block, max(start, block.first), min(end, block.end)))
            if block.end >= end or not self._next():
                break
        return tuple(_packed(found) for found in zip(*parts, strict=True))

    def _next(self) -> bool:
        block = self._tape.next()
        if block is None:
            return False
        if self._block is not None:
            for symbol in self._block.sources:
                quotes = self._block.quotes(symbol)
                if len(quotes):
                    self._tails[symbol] = float(quotes.bid[-1]), float(quotes.ask[-1])
        self._block = block
        return True

    def _parts(self, block: Block, start: int, end: int) -> list[list[FloatArray | IntArray]]:
        return [self._columns(block, number, start, end) for number in finest([rows.stream for rows in block.parts])]

    def _columns(self, block: Block, number: int, start: int, end: int) -> list[FloatArray | IntArray]:
        """Of one stream."""
        rows, above = block.parts[number], start - block.first
        part = np.arange(above, end - block.first)
        if block.order is not None:
            part = part[block.order[part] == number]
            above = int(np.count_nonzero(block.order[:above] == number))
        fields = [column[above : above + len(part)] for column in rows.columns]
        spec = self._find(rows.stream.symbol)
        if spec is None:
            raise TypeError("a replay has a symbol that the trade server does not have")
        bid, ask = (np.round(self._at(block, spec.name, part, side), spec.digits) for side in (0, 1))  # as the engine
        prices = fields[1:5] if len(fields) == len(BAR_CODES) else [bid] * 4
        return [fields[0], *prices, ask, *(spec.lot_value * rate for rate in self._rates(block, spec, part, bid, ask))]

    def _rates(
        self, block: Block, spec: SymbolSpec, rows: IntArray, bid: FloatArray, ask: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Of the profit currency into the deposit currency, for long and for short positions."""
        quotes = dict.fromkeys(block.sources, (0, 0.0, 0.0))
        route = find_route(spec, spec.currency_profit, self._currency, quotes) or ()
        return self._rate(block, spec, route, rows, bid, buys=True), self._rate(
            block, spec, route, rows, ask, buys=False
        )

    def _rate(
        self, block: Block, spec: SymbolSpec, route: Route, rows: IntArray, own: FloatArray, *, buys: bool
    ) -> FloatArray:
        """As `sim_worker.rates.convert`, for all rows at once. `own`: the price at which a position would be closed."""
        rate = np.ones(len(rows))
        for symbol, inverse in route:
            leg = own if symbol == spec.name else self._at(block, symbol, rows, int(buys is not inverse))
            rate = rate / leg if inverse else rate * leg
        return rate

    def _at(self, block: Block, symbol: str, rows: IntArray, side: int) -> FloatArray:
        """The bid (side 0) or the ask at these rows."""
        quotes, last = block.quotes(symbol), block.seen(symbol)[rows] - 1
        prices = (quotes.bid, quotes.ask)[side]
        if not len(prices):
            return np.full(len(rows), self._tails.get(symbol, (np.nan, np.nan))[side])
        before = self._tails.get(symbol, (float(quotes.bid[0]), float(quotes.ask[0])))
        return np.where(last < 0, before[side], prices[np.maximum(last, 0)])
