"""The figures of a report are what their definitions say: by hand, and by another library's computation."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import empyrical
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mas._report.curve import Curve, Market, of_deals, of_replay, returns, trading_days
from mas._report.data import data_report
from mas._report.kpis import Kpis, measure
from mas._report.trades import read
from tests.unit.report_kit import BUY, IN, OUT, SELL, deal, deposit

HOUR, DAY = 3_600_000, 86_400_000
MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
START = int(MONDAY.timestamp()) * 1000


def market(closes: Sequence[float], step: int = DAY, start: int = START, spread: float = 0.0) -> list[Market]:
    """A symbol with a bar for each close, on a contract where a price of 1 is worth 1."""
    close = np.array(closes, dtype=np.float64)
    time = start + step * np.arange(len(close), dtype=np.int64)
    ones = np.ones(len(close))
    return [Market("EURUSD", time, close, close, close, close, close + spread, ones, ones)]


def curve_of(equities: Sequence[float], capital: float = 100.0, step: int = DAY) -> Curve:
    """A curve that has these equities: one unit is held from the first row on, and the price is what is left."""
    prices = [equity - capital + 1000.0 for equity in equities]
    history = read([deal(BUY, IN, 1.0, 1000.0, at=START)])
    return of_replay(history, market(prices, step), capital, equities[-1])


def kpis_of(equities: Sequence[float], nets: Sequence[float] = (), step: int = DAY) -> Kpis:
    deals = []
    for number, net in enumerate(nets):
        deals += [deal(BUY, IN, 0.1, 1.1, position_id=number + 1, at=START)]
        deals += [deal(SELL, OUT, 0.1, 1.2, position_id=number + 1, at=START + number + 1, profit=net)]
    return measure(read(deals).trades, curve_of(equities, step=step))


# ---- trades ----------------------------------------------------------------------------------------------------------


def test_rates_and_ratios_of_trades() -> None:
    kpis = kpis_of([100.0], [10.0, -5.0, -1.0, -2.0, 20.0, 0.0, -4.0])
    assert (kpis.trades, kpis.wins, kpis.losses) == (7, 2, 4)
    assert kpis.win_rate == pytest.approx(100 * 2 / 7)
    assert kpis.loss_rate == pytest.approx(100 * 4 / 7), "a trade that made nothing is neither won nor lost"
    assert kpis.profit_factor == pytest.approx(30 / 12)
    assert kpis.profit_loss_ratio == pytest.approx(15 / 3)
    assert (kpis.max_single_loss, kpis.max_consecutive_losses) == (-5.0, 3)


def test_without_a_loss_the_profit_factor_is_infinite() -> None:
    kpis = kpis_of([100.0], [10.0, 5.0])
    assert (kpis.profit_factor, kpis.profit_loss_ratio) == (math.inf, math.inf)
    assert (kpis.max_single_loss, kpis.max_consecutive_losses, kpis.loss_rate) == (0.0, 0, 0.0)


def test_without_trades_no_ratio_is_defined_and_a_program_can_still_print_it() -> None:
    kpis = kpis_of([100.0])
    assert (kpis.profit_factor, kpis.profit_loss_ratio, kpis.win_rate) == (None, None, 0.0)
    metrics = data_report(kpis, [])["performance_metrics"]
    assert [f"{value:.2f}" for value in metrics.values()].count("0.00") == len(metrics)


# ---- curves ----------------------------------------------------------------------------------------------------------


def test_an_open_position_is_valued_at_every_bar_at_the_side_at_which_it_would_be_closed() -> None:
    long, short = deal(BUY, IN, 2.0, 10.0, at=START + HOUR), deal(SELL, IN, 3.0, 10.0, position_id=2, at=START + DAY)
    curve = of_replay(read([long, short]), market([10.0, 11.0, 12.0], spread=0.5), 100.0, 99.5)
    assert curve.equity.tolist() == [100.0, 100.0 + 2 * 1.0 - 3 * 1.5, 99.5]
    assert curve.balance.tolist() == [100.0, 100.0, 100.0]


def test_a_deal_counts_in_the_bar_that_it_was_made_in() -> None:
    deals = [deal(BUY, IN, 1.0, 10.0, at=START), deal(SELL, OUT, 1.0, 12.0, at=START + 2 * DAY - 1, profit=2.0)]
    curve = of_replay(read(deals), market([10.0, 12.0, 13.0]), 102.0, 102.0)
    assert curve.balance.tolist() == [100.0, 102.0, 102.0]
    assert curve.equity.tolist() == [100.0, 102.0, 102.0]


def test_a_position_in_a_symbol_without_prices_is_valued_when_it_is_closed() -> None:
    history = read([deal(BUY, IN, 1.0, 10.0, symbol="GBPUSD", at=START)])
    curve = of_replay(history, market([10.0, 11.0, 12.0]), 100.0, 105.0)
    assert curve.equity.tolist() == [100.0, 100.0, 105.0]


def test_positions_of_several_symbols_are_valued_at_every_time_that_one_of_them_has_a_bar() -> None:
    (euro,) = market([10.0, 11.0, 12.0])
    pound = replace(market([20.0, 23.0], 2 * DAY, START + DAY)[0], symbol="GBPUSD")
    deals = [
        deal(BUY, IN, 2.0, 10.0, at=START),
        deal(SELL, IN, 1.0, 20.0, symbol="GBPUSD", position_id=2, at=START + DAY + HOUR),
    ]
    curve = of_replay(read(deals), [euro, pound], 100.0, 101.0)
    assert ((curve.time - START) // DAY).tolist() == [0, 1, 2, 3]
    assert curve.equity.tolist() == [100.0, 102.0, 104.0, 101.0]
    assert of_replay(read(deals), [pound, euro], 100.0, 101.0).equity.tolist() == curve.equity.tolist()


def test_the_deposit_of_an_account_is_its_capital_whether_it_is_a_deal_or_not() -> None:
    trade = [deal(BUY, IN, 1.0, 10.0, at=START), deal(SELL, OUT, 1.0, 12.0, at=START + DAY, profit=2.0)]
    without = of_replay(read(trade), market([10.0, 12.0]), 102.0, 102.0)
    having = of_replay(read([deposit(100.0, START - DAY), *trade]), market([10.0, 12.0]), 102.0, 102.0)
    assert without.growth.tolist() == having.growth.tolist() == [1.0, 1.02]
    for curve in (without, having):
        assert measure([], curve).profit == pytest.approx(2.0)
        assert [year.profit for year in measure([], curve).years] == [pytest.approx(2.0)]


def test_deposits_and_withdrawals_are_no_returns() -> None:
    deals = [
        deposit(100.0, START),
        deal(BUY, IN, 1.0, 10.0, at=START),
        deposit(110.0, START + 2 * DAY),
        deposit(-50.0, START + 3 * DAY),
    ]
    curve = of_replay(read(deals), market([10.0, 20.0, 20.0, 20.0, 37.0]), 160.0, 187.0)
    assert curve.equity.tolist() == [100.0, 110.0, 220.0, 170.0, 187.0]
    assert curve.growth.tolist() == pytest.approx([1.0, 1.1, 1.1, 1.1, 1.21])
    kpis = measure([], curve)
    assert (kpis.profit, kpis.total_return, kpis.max_drawdown) == (pytest.approx(27.0), pytest.approx(21.0), 0.0)


def test_drawdown_is_measured_from_the_highest_point_before_even_the_capital() -> None:
    assert kpis_of([90.0, 95.0, 80.0]).max_drawdown == pytest.approx(20.0)
    assert kpis_of([100.0, 200.0, 150.0, 210.0, 180.0]).max_drawdown == pytest.approx(25.0)


def test_floating_losses_count_as_drawdown() -> None:
    kpis = kpis_of([100.0, 60.0, 120.0])
    assert kpis.max_drawdown == pytest.approx(40.0)
    assert kpis.total_return == pytest.approx(20.0)


def test_an_account_that_lost_everything_stays_lost() -> None:
    kpis = kpis_of([100.0, -10.0, 50.0])
    assert (kpis.total_return, kpis.max_drawdown, kpis.cagr) == (-100.0, 100.0, -100.0)


def test_the_yearly_rate_counts_simulated_years() -> None:
    two_years = [100.0] + [110.0] * 730 + [121.0]
    span = (len(two_years) - 1) / 365.25
    assert kpis_of(two_years).cagr == pytest.approx(100 * (1.21 ** (1 / span) - 1))
    assert kpis_of([100.0, 101.0], step=HOUR).cagr is None, "an hour is not extrapolated to a year"


def test_what_happens_on_a_weekend_counts_to_monday() -> None:
    friday = START + 4 * DAY
    days = trading_days(np.array([friday, friday + DAY, friday + 2 * DAY, friday + 3 * DAY, friday + 4 * DAY]))
    assert (days - days[0]).tolist() == [0, 3, 3, 3, 4]


def test_each_year_has_its_own_figures() -> None:
    days = (datetime(2024, 12, 30, tzinfo=UTC) - MONDAY).days
    equities = [100.0] * days + [120.0, 110.0, 99.0, 132.0]  # 30 and 31 December, 1 and 2 January
    first, second = kpis_of(equities).years
    assert (first.year, first.profit, first.equity) == (2024, pytest.approx(10.0), pytest.approx(110.0))
    assert (first.percent, first.total) == (pytest.approx(10.0), pytest.approx(10.0))
    assert first.drawdown == pytest.approx(100 * 10 / 120)
    assert (second.year, second.profit, second.equity) == (2025, pytest.approx(22.0), pytest.approx(132.0))
    assert (second.percent, second.total) == (pytest.approx(20.0), pytest.approx(32.0))
    assert second.drawdown == pytest.approx(100 * 21 / 120), "measured from the highest point of all years"


def test_an_account_without_bars_has_a_row_for_each_deal_and_each_weekday() -> None:
    deals = [deposit(100.0, START), deal(BUY, IN, 1.0, 10.0, at=START + HOUR)]
    deals += [deal(SELL, OUT, 1.0, 12.0, at=START + DAY, profit=2.0)]
    curve = of_deals(read(deals), START + 7 * DAY, 102.0, 102.0)
    ends = [int(t - START) for t in curve.time]
    assert ends == [-1, 0, HOUR, DAY - 1, DAY, *(n * DAY - 1 for n in (2, 3, 4, 5)), 7 * DAY]
    assert len(returns(curve, trading_days(curve.time))) == 6, "Monday to Friday, and Monday again"
    assert curve.growth[-1] == pytest.approx(1.02)


# ---- another library -------------------------------------------------------------------------------------------------

EQUITIES = st.lists(st.floats(50.0, 200.0), min_size=3, max_size=60)


def daily(equities: Sequence[float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """The returns of days, weekends counted to Monday, computed apart from the code under test."""
    by_day: dict[datetime, float] = {}
    for number, equity in enumerate(equities):
        day = MONDAY + timedelta(days=number)
        by_day[day + timedelta(days=max(0, 7 - day.weekday()) if day.weekday() > 4 else 0)] = equity
    values = [100.0, *by_day.values()]
    return np.array([after / before - 1.0 for before, after in pairwise(values)])


@given(equities=EQUITIES)
def test_sharpe_sortino_and_drawdown_are_those_of_empyrical(equities: list[float]) -> None:
    kpis, rates = kpis_of(equities), daily(equities)
    if kpis.sharpe is not None:
        assert kpis.sharpe == pytest.approx(empyrical.sharpe_ratio(rates), rel=1e-6, abs=1e-9)
    if kpis.sortino is not None and math.isfinite(kpis.sortino):
        assert kpis.sortino == pytest.approx(empyrical.sortino_ratio(rates), rel=1e-6, abs=1e-9)
    every_row = np.diff([100.0, *equities]) / np.array([100.0, *equities[:-1]])
    assert kpis.max_drawdown == pytest.approx(-100 * empyrical.max_drawdown(every_row), abs=1e-6)
    assert kpis.total_return == pytest.approx(100 * empyrical.cum_returns_final(every_row), abs=1e-6)


@given(equities=EQUITIES)
def test_the_deepest_year_is_the_drawdown_of_the_whole_and_years_add_up(equities: list[float]) -> None:
    kpis = kpis_of(equities, step=40 * DAY)
    assert max(year.drawdown for year in kpis.years) == pytest.approx(kpis.max_drawdown)
    assert sum(year.profit for year in kpis.years) == pytest.approx(kpis.profit, abs=1e-6)
    assert math.prod(1 + year.percent / 100 for year in kpis.years) == pytest.approx(1 + kpis.total_return / 100)


def test_ratios_of_days_without_variance_are_not_defined() -> None:
    kpis = kpis_of([100.0, 100.0, 100.0])
    assert (kpis.sharpe, kpis.sortino) == (None, None)
    assert kpis_of([100.0]).sharpe is None
    rising = kpis_of([101.0, 103.0, 104.0])
    assert rising.sortino == math.inf, "there was no losing day"
    assert rising.sharpe is not None


# ---- the dictionary --------------------------------------------------------------------------------------------------


def test_the_data_report_has_the_documented_names() -> None:
    history = read([deal(BUY, IN, 0.1, 1.1, at=START), deal(SELL, OUT, 0.1, 1.2, at=START + DAY, profit=10.0)])
    report = data_report(measure(history.trades, curve_of([100.0, 110.0])), history.trades)
    assert {name: list(value) for name, value in report.items() if isinstance(value, dict)} == {
        "general_data": ["total_profit_loss", "number_of_trades"],
        "performance_metrics": [
            "number_of_trades",
            "profit_loss_ratio",
            "win_rate",
            "max_drawdown",
            "total_return_rate",
            "cagr",
            "sharpe_ratio",
            "sortino_ratio",
            "max_consecutive_losses",
            "max_single_loss",
            "profit_factor",
        ],
        "win_loss_ratio": ["win_rate", "loss_rate"],
        "cumulative_return_line_chart": ["cumulative_return_percent"],
        "max_drawdown_trend": ["max_drawdown_percent"],
        "annual_year_pnl_usd": ["annual_year_pnl_usd"],
        "annual_pnl_usd": ["annual_pnl_usd"],
    }
    assert report["annual_pnl_usd"] == {"annual_pnl_usd": {"2024": 110.0}}
    (trade,) = json.loads(report["data_source"])
    assert (trade["type"], trade["net"], trade["time_open"]) == ("buy", 10.0, "2024-01-01T00:00:00.000+00:00")
