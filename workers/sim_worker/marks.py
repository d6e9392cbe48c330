"""What a report needs to value positions at each row of a replay: prices, and what a move of them is worth. Pure."""

from __future__ import annotations

import numpy as np

from mas_router.columns import BAR_CODES
from sim_worker.market import ReplayMarket
from sim_worker.quotes import FloatArray, IntArray
from sim_worker.rates import Route, find_route
from sim_worker.specs import SymbolSpec


def columns(market: ReplayMarket, spec: SymbolSpec, currency: str, start: int, count: int) -> tuple[bytes, ...]:
    """The columns of `messages.Chunk` with marks: time, open, high, low, close, ask, long, short.

    `long` and `short`: a move of the price by 1 in the deposit currency, for one lot. Where MT5 converts a profit and
    a loss at different sides (outside Forex), it is the profit's.
    """
    replay, part = market.replay, slice(start, start + count)
    last = replay.last_quote[part]
    time = replay.quotes.time[last]
    bid, ask = (np.round(side[last], spec.digits) for side in (replay.quotes.bid, replay.quotes.ask))  # as the engine
    rows = [row[part] for row in replay.rows]
    prices = rows[1:5] if len(rows) == len(BAR_CODES) else [bid] * 4
    rates = [spec.lot_value * rate for rate in _rates(market, spec, currency, time, bid, ask)]
    floats = [np.asarray(column, dtype="<f8").tobytes() for column in (*prices, ask, *rates)]
    return (rows[0].astype("<i8").tobytes(), *floats)


def _rates(
    market: ReplayMarket, spec: SymbolSpec, currency: str, time: IntArray, bid: FloatArray, ask: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Of the profit currency into the deposit currency, for long and for short positions."""
    quotes = dict.fromkeys(market.quotes, (0, 0.0, 0.0))
    route = find_route(spec, spec.currency_profit, currency, quotes) or ()
    return _rate(market, spec, route, time, bid, ask_side=True), _rate(market, spec, route, time, ask, ask_side=False)


def _rate(
    market: ReplayMarket, spec: SymbolSpec, route: Route, time: IntArray, own: FloatArray, *, ask_side: bool
) -> FloatArray:
    """As `sim_worker.rates.convert`, for all rows at once. `own`: the price at which the position would be closed."""
    rate = np.ones(len(time))
    for symbol, inverse in route:
        leg = own if symbol == spec.name else _at(market, symbol, time, ask=ask_side is not inverse)
        rate = rate / leg if inverse else rate * leg
    return rate


def _at(market: ReplayMarket, symbol: str, time: IntArray, *, ask: bool) -> FloatArray:
    quotes = market.quotes[symbol]
    found = np.maximum(np.searchsorted(quotes.time, time, side="right") - 1, 0)
    return np.asarray((quotes.ask if ask else quotes.bid)[found])
