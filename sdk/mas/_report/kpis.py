"""The figures of a report; `docs/reference/kpis.md` defines each of them. Pure.

A figure that is not defined for these trades (the variance of one day, the average of no losses) is None here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from mas._report.curve import Curve, Floats, lasts, returns, trading_days, years
from mas._report.trades import Trade

TRADING_DAYS: Final = 252  # a year's, by which daily figures are annualised
YEAR: Final = 365.25 * 86_400_000  # milliseconds
_SHORTEST: Final = 86_400_000 / YEAR  # a day: less is not extrapolated to a year
_NOTHING: Final = 1e-12
_CENT: Final = 0.005


@dataclass(frozen=True, slots=True)
class Year:
    """One calendar year (UTC). Percentages are 0..100; `total` is since the beginning, the others are of the year."""

    year: int
    profit: float
    percent: float
    total: float
    drawdown: float
    equity: float
    trades: int


@dataclass(frozen=True, slots=True)
class Kpis:
    """Percentages are 0..100, money is in the account's currency."""

    profit: float
    trades: int
    wins: int
    losses: int
    gross_profit: float
    gross_loss: float
    win_rate: float
    loss_rate: float
    profit_factor: float | None
    profit_loss_ratio: float | None
    max_drawdown: float
    total_return: float
    cagr: float | None
    sharpe: float | None
    sortino: float | None
    max_consecutive_losses: int
    max_single_loss: float
    years: tuple[Year, ...]


def measure(trades: Sequence[Trade], curve: Curve) -> Kpis:
    """All figures of these trades and this curve, which has at least one row."""
    nets = [settled(trade.net) for trade in trades]
    wins, losses = [net for net in nets if net > 0.0], [net for net in nets if net < 0.0]
    daily = returns(curve, trading_days(curve.time))
    total = float(curve.growth[-1]) - 1.0
    return Kpis(
        profit=profit(curve),
        trades=len(nets),
        wins=len(wins),
        losses=len(losses),
        gross_profit=math.fsum(wins),
        gross_loss=math.fsum(losses),
        win_rate=percent(len(wins), len(nets)),
        loss_rate=percent(len(losses), len(nets)),
        profit_factor=ratio(math.fsum(wins), -math.fsum(losses)),
        profit_loss_ratio=ratio(_mean(wins), -_mean(losses)),
        max_drawdown=100.0 * float(curve.drawdown.max()),
        total_return=100.0 * total,
        cagr=cagr(total, float(curve.time[-1] - curve.time[0]) / YEAR),
        sharpe=sharpe(daily),
        sortino=sortino(daily),
        max_consecutive_losses=longest_run(net < 0.0 for net in nets),
        max_single_loss=min(losses, default=0.0),
        years=by_year(trades, curve),
    )


def settled(net: float) -> float:
    """A result in money; what is less than half a cent is the rounding of shared costs, not a result."""
    return 0.0 if abs(net) < _CENT else net


def profit(curve: Curve) -> float:
    """What trading made: the equity without the capital and without money from outside."""
    return float(curve.equity[-1]) - curve.capital - float(curve.flow.sum())


def percent(part: int, whole: int) -> float:
    return 100.0 * part / whole if whole else 0.0


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else 0.0


def ratio(gain: float, loss: float) -> float | None:
    """Gain by loss: infinite without a loss, None without either."""
    if loss > 0.0:
        return gain / loss
    return math.inf if gain > 0.0 else None


def cagr(total: float, span: float) -> float | None:
    """The yearly rate in percent that makes `total` (0.1 is ten percent) in `span` years; None in less than a day."""
    if span < _SHORTEST:
        return None
    if total <= -1.0:
        return -100.0
    try:
        return 100.0 * math.expm1(math.log1p(total) / span)
    except OverflowError:
        return math.inf


def sharpe(daily: Floats) -> float | None:
    """Mean by standard deviation (of a sample) of daily returns, a year's; the risk-free rate is 0."""
    if len(daily) < 2:
        return None
    deviation = float(np.std(daily, ddof=1))
    return float(np.mean(daily)) / deviation * math.sqrt(TRADING_DAYS) if deviation > _NOTHING else None


def sortino(daily: Floats) -> float | None:
    """Mean by downside deviation of daily returns, a year's; the target is 0. Infinite without a losing day."""
    if len(daily) < 2:
        return None
    mean, downside = float(np.mean(daily)), math.sqrt(float(np.mean(np.minimum(daily, 0.0) ** 2)))
    if downside > _NOTHING:
        return mean / downside * math.sqrt(TRADING_DAYS)
    return math.inf if mean > _NOTHING else None


def longest_run(marks: Iterable[bool]) -> int:
    """The most marks in a row."""
    best = run = 0
    for mark in marks:
        run = run + 1 if mark else 0
        best = max(best, run)
    return best


def by_year(trades: Sequence[Trade], curve: Curve) -> tuple[Year, ...]:
    """Each calendar year of the curve. Its drawdown is measured from the highest point up to then, of any year."""
    keys = years(curve.time)
    ends = lasts(keys)
    starts = np.concatenate(([0], ends[:-1] + 1))
    before = np.concatenate(([curve.capital], curve.equity[ends[:-1]]))
    flows, deepest = np.add.reduceat(curve.flow, starts), np.maximum.reduceat(curve.drawdown, starts)
    rates = returns(curve, keys)
    closed = years(np.array([trade.closed for trade in trades], dtype=np.int64))
    return tuple(
        Year(
            year=int(keys[end]),
            profit=float(curve.equity[end] - before[n] - flows[n]),
            percent=100.0 * float(rates[n]),
            total=100.0 * (float(curve.growth[end]) - 1.0),
            drawdown=100.0 * float(deepest[n]),
            equity=float(curve.equity[end]),
            trades=int(np.count_nonzero(closed == keys[end])),
        )
        for n, end in enumerate(ends)
    )
