"""The trade chart: candles with entries and exits, and the equity below. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from mas._report.curve import Ints, Market, rows_of
from mas._report.page import chart_section, page, trade_columns, trades_section
from mas._report.report import Asset, Report, other_symbols
from mas._report.texts import TEXTS, Texts
from mas._report.thin import Candles, candles, digits_of, group_of, rows_to_show, steps, whole


def chart_page(report: Report, asset: Asset, lang: str) -> str:
    """The whole page."""
    texts = TEXTS[lang]
    group = group_of(report.markets)
    symbols = [market.symbol for market in report.markets]
    notes = _notes(report, group, texts)
    body = [
        *chart_section("chart", texts["price_section"], texts, texts["chart_hint"], notes, symbols),
        *trades_section(report, texts),
    ]
    data: dict[str, Any] = {"trades": trade_columns(report, texts)}
    if report.markets:
        data["charts"] = [_chart(report, market, candles(market, group)) for market in report.markets]
    else:
        rows = rows_to_show(report.curve)
        data["line"] = {"time": steps(report.curve.time[rows] // 1000)} | _equity(report, rows)
    return page(report, texts["chart_title"], texts, lang, body, data, asset)


def _notes(report: Report, group: int, texts: Texts) -> Iterable[str]:
    if not report.markets:
        yield texts["no_prices"]
        return
    if group > 1:
        yield texts["grouped" if report.account.timeframe else "grouped_ticks"].format(group=group)
    if others := other_symbols(report):
        yield texts["other_symbols"].format(symbols=", ".join(others))


def _chart(report: Report, market: Market, drawn: Candles) -> dict[str, Any]:
    """One symbol: its prices, the equity at the end of each candle, and its trades."""
    own = report.curve.time is market.time
    rows = drawn.last if own else rows_of(market.time[drawn.last], report.curve.time)
    marks = _marks(report, market, drawn)
    return {"symbol": market.symbol, "candles": _candles(drawn) | _equity(report, rows), "marks": marks}


def _candles(drawn: Candles) -> dict[str, Any]:
    """Whole numbers of points: closes as steps, the other prices by their distance from them."""
    digits = digits_of(np.concatenate([drawn.open, drawn.close]))
    first, high, low, close = (whole(values, digits) for values in (drawn.open, drawn.high, drawn.low, drawn.close))
    return {
        "digits": digits,
        "time": steps(drawn.time // 1000),
        "close": steps(close),
        "open": [int(value) for value in first - close],
        "high": [int(value) for value in high - np.maximum(first, close)],
        "low": [int(value) for value in np.minimum(first, close) - low],
    }


def _equity(report: Report, rows: Ints) -> dict[str, Any]:
    return {
        "equity": steps(whole(report.curve.equity[rows], 2)),
        "balance": steps(whole(report.curve.balance[rows], 2)),
    }


def _marks(report: Report, market: Market, drawn: Candles) -> dict[str, Any]:
    """Which candles the trades of this symbol were opened and closed in; -1 where that is not known."""
    trades = report.history.trades
    opened = rows_of([trade.opened if trade.opened is not None else 0 for trade in trades], market.time) // drawn.group
    closed = rows_of([trade.closed for trade in trades], market.time) // drawn.group
    shown = [trade.symbol == market.symbol for trade in trades]
    return {
        "opened": [
            int(at) if here and trade.opened is not None else -1
            for at, here, trade in zip(opened, shown, trades, strict=True)
        ],
        "closed": [int(at) if here else -1 for at, here in zip(closed, shown, strict=True)],
    }
