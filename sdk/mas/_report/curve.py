"""What an account was worth over time: balance, equity, and growth without deposits and withdrawals. Pure.

A row of the curve is a bar (or tick) of a replay, valued at its last quote. A live account has no bars here: its rows
are its deals and the ends of weekdays, and what is open then is not valued before the last row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mas._report.trades import History, Holding, Step

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DAY: Final = 86_400_000
_MONDAY: Final = 4 * DAY  # 1970-01-05
_MONEY_DIGITS: Final = 8


@dataclass(frozen=True, slots=True, eq=False)
class Market:
    """A symbol's rows in a replay. `time`: the row's start in UTC milliseconds; prices are of the bid.

    `ask`: at the row's end.
    `long` and `short`: what a move of the price by 1 is worth in the account's currency to a holder of one lot.
    """

    symbol: str
    time: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    ask: Floats
    long: Floats
    short: Floats

    def __len__(self) -> int:
        return len(self.time)


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Columns of the same length. `growth` starts at 1 and moves with trading alone; `flow` is money from outside.

    `capital` is what the account had before its first row.
    """

    time: Ints
    balance: Floats
    equity: Floats
    flow: Floats
    growth: Floats
    capital: float

    @property
    def drawdown(self) -> Floats:
        """The fall from the highest growth so far, 0 to 1."""
        peak = np.maximum.accumulate(np.maximum(self.growth, 1.0))
        return np.asarray(1.0 - self.growth / peak)


def of_replay(history: History, markets: Sequence[Market], balance: float, equity: float) -> Curve:
    """The curve over the rows of a replay; where there are several symbols, a row for each time that one of them has.

    Their bars are of one timeframe, so rows of the same time end at the same time. `balance` and `equity` are the
    account's at the last row.
    """
    time = markets[0].time if len(markets) == 1 else np.unique(np.concatenate([market.time for market in markets]))
    floating = np.zeros(len(time))
    for market in markets:
        floating += _floating(history.holdings, market, time)
    return _curve(history.steps, time, floating, balance, equity)


def of_deals(history: History, now: int, balance: float, equity: float) -> Curve:
    """The curve of an account without bars: a row for each deal, each end of a weekday, and now (UTC milliseconds)."""
    moments = [step.time for step in history.steps]
    first = min(moments, default=now)
    moments.append(first - 1)  # what was there before the first deal
    ends = np.arange(first // DAY * DAY + DAY - 1, now, DAY, dtype=np.int64)
    ends = ends[_weekday(ends) < 5]
    time = np.unique(np.concatenate([np.array([*moments, max(now, first)], dtype=np.int64), ends]))
    return _curve(history.steps, time, np.zeros(len(time)), balance, equity)


def _curve(steps: Sequence[Step], time: Ints, floating: Floats, balance: float, equity: float) -> Curve:
    at = rows_of([step.time for step in steps], time)
    amounts = np.array([step.amount for step in steps], dtype=np.float64)
    flows = np.array([step.amount if step.flow else 0.0 for step in steps], dtype=np.float64)
    credits = np.array([step.amount if step.credit else 0.0 for step in steps], dtype=np.float64)
    capital = balance - float(np.sum(amounts - credits))
    capital = 0.0 if abs(capital) < 0.005 else round(capital, _MONEY_DIGITS)  # the deposit is a deal, or it is this
    balances = capital + np.cumsum(_per_row(at, amounts - credits, len(time)))
    equities = balances + np.cumsum(_per_row(at, credits, len(time))) + floating
    if len(equities):
        equities[-1] = equity  # the trade server's own figure
    flow = _per_row(at, flows, len(time))
    return Curve(time, balances, equities, flow, _growth(equities, flow, capital), capital)


def rows_of(moments: Sequence[int] | Ints, time: Ints) -> Ints:
    """The row in which each moment lies; what is before the first row counts as in it."""
    found = np.searchsorted(time, np.array(moments, dtype=np.int64), side="right") - 1
    return np.asarray(np.clip(found, 0, max(0, len(time) - 1)), dtype=np.int64)


def _per_row(at: Ints, amounts: Floats, rows: int) -> Floats:
    return np.asarray(np.bincount(at, weights=amounts, minlength=rows)[:rows], dtype=np.float64)


def _growth(equity: Floats, flow: Floats, capital: float) -> Floats:
    """The product of each row's return. Money from outside is not a return: it counts from the row's beginning on.

    An account without money before it has no return; one that lost everything stays at 0.
    """
    base = np.concatenate(([capital], equity[:-1])) + flow
    factors = np.divide(equity, base, out=np.ones(len(equity)), where=base > 0.0)
    return np.asarray(np.cumprod(np.maximum(factors, 0.0)))


def _floating(holdings: Sequence[Holding], market: Market, time: Ints) -> Floats:
    """What the open positions of the market's symbol would bring at each time: from sums of lots and of lots x price.

    At a time that the market has no row of, its newest prices before count.
    """
    changes = _changes([holding for holding in holdings if holding.symbol == market.symbol])
    at = rows_of([moment for moment, *_ in changes], time)
    columns = np.array([change[1:] for change in changes], dtype=np.float64).reshape(-1, 4).T
    lots, cost, short_lots, short_cost = (np.cumsum(_per_row(at, column, len(time))) for column in columns)
    last = slice(None) if time is market.time else rows_of(time, market.time)
    long = (lots * market.close[last] - cost) * market.long[last]
    return np.asarray(long + (short_cost - short_lots * market.ask[last]) * market.short[last])


def _changes(holdings: Sequence[Holding]) -> list[tuple[int, float, float, float, float]]:
    """Time, and by how much lots and lots x price change: of the long positions, then of the short ones."""
    before: dict[int, tuple[float, float, float, float]] = {}
    found = []
    for holding in holdings:
        lots, cost = abs(holding.lots), abs(holding.lots) * holding.price
        after = (lots, cost, 0.0, 0.0) if holding.lots > 0 else (0.0, 0.0, lots, cost)
        old = before.get(holding.position, (0.0, 0.0, 0.0, 0.0))
        a, b, c, d = (new - was for new, was in zip(after, old, strict=True))
        found.append((holding.time, a, b, c, d))
        before[holding.position] = after
    return found


# ---- days, months, years ---------------------------------------------------------------------------------------------


def _weekday(time: Ints) -> Ints:
    """0 for Monday."""
    return (time - _MONDAY) // DAY % 7


def trading_days(time: Ints) -> Ints:
    """The day (since 1970) to which each moment counts: what happens on a weekend belongs to Monday."""
    weekday = _weekday(time)
    return time // DAY + np.where(weekday >= 5, 7 - weekday, 0)


def lasts(keys: Ints) -> Ints:
    """The last row of each run of equal keys."""
    return np.append(np.flatnonzero(keys[1:] != keys[:-1]), len(keys) - 1)[: len(keys)]


def returns(curve: Curve, keys: Ints) -> Floats:
    """The return of each run of equal keys; the first one counts from the account's beginning."""
    ends = curve.growth[lasts(keys)]
    starts = np.concatenate(([1.0], ends[:-1]))
    return np.divide(ends, starts, out=np.ones(len(ends)), where=starts > 0.0) - 1.0


def years(time: Ints) -> Ints:
    return time.astype("M8[ms]").astype("M8[Y]").astype(np.int64) + 1970


def months(time: Ints) -> Ints:
    """Months since 1970."""
    return time.astype("M8[ms]").astype("M8[M]").astype(np.int64)
