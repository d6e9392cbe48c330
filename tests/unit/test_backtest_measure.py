"""The figures of a run are those of the report, as far as a message and a file can carry them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from mas._report.kpis import Kpis
from mas.backtest.measure import ENDLESS, KPIS, figures
from mas_router.messages import RunResult

ACCOUNT = {"balance": 10_100.5, "equity": 10_090.25}
REPORT = Kpis(
    profit=90.25,
    trades=4,
    wins=3,
    losses=1,
    gross_profit=110.0,
    gross_loss=-9.5,
    win_rate=75.0,
    loss_rate=25.0,
    profit_factor=110 / 9.5,
    profit_loss_ratio=3.8,
    max_drawdown=1.5,
    total_return=0.9025,
    cagr=None,
    sharpe=1.25,
    sortino=None,
    max_consecutive_losses=1,
    max_single_loss=-9.5,
    years=(),
)


def test_the_figures_are_those_of_the_report_and_of_the_account() -> None:
    found = figures(ACCOUNT, REPORT, 9, 8, 100)
    assert list(found) == list(KPIS)
    assert (found["profit"], found["trades"], found["win_rate"], found["sharpe"]) == (90.25, 4, 75.0, 1.25)
    assert (found["balance"], found["equity"], found["orders"], found["deals"], found["bars"]) == (
        10_100.5,
        10_090.25,
        9,
        8,
        100,
    )
    assert found["sortino"] is None


def test_a_run_without_a_deal_has_figures_too() -> None:
    found = figures({"balance": 5.0, "equity": 5.0}, None, 1, 0, 7)
    assert (found["profit"], found["max_drawdown"], found["trades"], found["sharpe"]) == (0.0, 0.0, 0, None)


@pytest.mark.parametrize("name", ["profit_factor", "sortino"])
def test_what_is_endless_is_the_greatest_number_and_fits_in_a_message(name: str) -> None:
    change: dict[str, Any] = {name: math.inf}
    found = figures(ACCOUNT, replace(REPORT, **change), 1, 1, 1)
    assert found[name] == ENDLESS
    assert RunResult(id="r", status="done", kpis=found).kpis[name] == ENDLESS


def test_the_rounding_of_sums_is_not_in_the_figures() -> None:
    found = figures(ACCOUNT, replace(REPORT, profit=-15.6299999999992, total_return=-1e-12), 1, 1, 1)
    assert repr(found["profit"]) == "-15.63"
    assert repr(found["total_return"]) == "0.0"
