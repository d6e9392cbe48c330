"""The dictionary of `generate_data_report`. Pure.

The names are those of the documentation. A figure that is not defined is 0.0 here, so that a program can print it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from mas._report.kpis import Kpis, Year
from mas._report.trades import Trade

Fields = dict[str, Any]


def data_report(kpis: Kpis, trades: Sequence[Trade]) -> Fields:
    """Percentages are 0..100; money has two decimals, other figures have six."""
    return {
        "general_data": {"total_profit_loss": _money(kpis.profit), "number_of_trades": kpis.trades},
        "performance_metrics": _performance(kpis),
        "win_loss_ratio": {"win_rate": _figure(kpis.win_rate), "loss_rate": _figure(kpis.loss_rate)},
        "cumulative_return_line_chart": {"cumulative_return_percent": _by_year(kpis, "total")},
        "max_drawdown_trend": {"max_drawdown_percent": _by_year(kpis, "drawdown")},
        "annual_year_pnl_usd": {"annual_year_pnl_usd": _by_year(kpis, "profit", 2)},
        "annual_pnl_usd": {"annual_pnl_usd": _by_year(kpis, "equity", 2)},
        "data_source": json.dumps([_trade(trade) for trade in trades]),
    }


def _performance(kpis: Kpis) -> Fields:
    return {
        "number_of_trades": kpis.trades,
        "profit_loss_ratio": _figure(kpis.profit_loss_ratio),
        "win_rate": _figure(kpis.win_rate),
        "max_drawdown": _figure(kpis.max_drawdown),
        "total_return_rate": _figure(kpis.total_return),
        "cagr": _figure(kpis.cagr),
        "sharpe_ratio": _figure(kpis.sharpe),
        "sortino_ratio": _figure(kpis.sortino),
        "max_consecutive_losses": kpis.max_consecutive_losses,
        "max_single_loss": _money(kpis.max_single_loss),
        "profit_factor": _figure(kpis.profit_factor),
    }


def _figure(value: float | None) -> float:
    return 0.0 if value is None else round(value, 6) + 0.0


def _money(value: float) -> float:
    return round(value, 2) + 0.0  # not -0.0


def _by_year(kpis: Kpis, name: str, digits: int = 6) -> dict[str, float]:
    def value(year: Year) -> float:
        return round(float(getattr(year, name)), digits) + 0.0

    return {str(year.year): value(year) for year in kpis.years}


def _trade(trade: Trade) -> Fields:
    return {
        "position_id": trade.position,
        "deal": trade.deal,
        "symbol": trade.symbol,
        "type": trade.side,
        "volume": trade.volume,
        "time_open": _time(trade.opened),
        "price_open": trade.price_open,
        "time_close": _time(trade.closed),
        "price_close": trade.price_close,
        "profit": _money(trade.profit),
        "commission": _money(trade.commission),
        "swap": _money(trade.swap),
        "fee": _money(trade.fee),
        "net": _money(trade.net),
        "reason": trade.reason,
        "magic": trade.magic,
        "comment": trade.comment,
    }


def _time(milliseconds: int | None) -> str | None:
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")
