"""The page of figures: tiles, equity and drawdown, years, months, trades. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mas._report.curve import lasts, months, returns
from mas._report.kpis import Kpis, settled
from mas._report.page import (
    chart_section,
    figure,
    money,
    page,
    percents,
    text,
    tone,
    trade_columns,
    trades_section,
)
from mas._report.report import Asset, Report
from mas._report.texts import TEXTS, Texts
from mas._report.thin import rows_to_show, steps, whole

#: From this percentage on a month has the strongest colour, and how many shades there are.
_STRONGEST, _SHADES = 8.0, 4


def kpi_page(report: Report, asset: Asset, lang: str) -> str:
    """The whole page."""
    texts = TEXTS[lang]
    notes = [texts["live_curve"]] if not report.markets else []
    body = [
        *_tiles(report, texts),
        *chart_section("curve", texts["equity_section"], texts, texts["curve_hint"], notes),
        *_years(report, texts),
        *_months(report, texts),
        *trades_section(report, texts),
    ]
    data = {"curve": _curve(report), "trades": trade_columns(report, texts)}
    return page(report, texts["kpi_title"], texts, lang, body, data, asset)


def _curve(report: Report) -> dict[str, Any]:
    curve, rows = report.curve, rows_to_show(report.curve)
    return {
        "time": steps(curve.time[rows] // 1000),
        "equity": steps(whole(curve.equity[rows], 2)),
        "balance": steps(whole(curve.balance[rows], 2)),
        "drawdown": [round(100.0 * float(value), 3) for value in curve.drawdown[rows]],
    }


# ---- tiles -----------------------------------------------------------------------------------------------------------


def _tiles(report: Report, texts: Texts) -> Iterable[str]:
    yield '<section class="tiles">'
    for name, value, shade, note in _figures(report, report.kpis, texts):
        yield (
            f'<div class="tile"><h3>{text(texts[name])}</h3><p class="value {shade}">{text(value)}</p>'
            f"<p>{text(note)}</p></div>"
        )
    yield "</section>"


def _figures(report: Report, kpis: Kpis, texts: Texts) -> Iterable[tuple[str, str, str, str]]:
    """Name, value, its class, and what stands below."""
    none, currency = texts["none"], report.account.currency
    closed = sum(trade.net for trade in report.history.trades)
    note = texts["profit_note"].format(closed=money(closed), open=money(settled(kpis.profit - closed)))
    yield "profit", money(kpis.profit, currency, sign=True), tone(kpis.profit), note
    note = texts["return_note"].format(cagr=percents(kpis.cagr, none, sign=True))
    note = texts["return_short"] if kpis.cagr is None else note
    yield "return", percents(kpis.total_return, none, sign=True), tone(kpis.total_return), note
    yield "drawdown", percents(kpis.max_drawdown, none), "", texts["drawdown_note"]
    note = texts["sharpe_note"].format(sortino=figure(kpis.sortino, none))
    yield "sharpe", figure(kpis.sharpe, none), "", note
    note = texts["factor_note"].format(ratio=figure(kpis.profit_loss_ratio, none))
    yield "factor", figure(kpis.profit_factor, none), "", note
    note = texts["win_rate_note"].format(wins=f"{kpis.wins:,}", losses=f"{kpis.losses:,}")
    yield "win_rate", percents(kpis.win_rate, none), "", note
    average = money(closed / kpis.trades, sign=True) if kpis.trades else none
    yield "trades", f"{kpis.trades:,}", "", texts["trades_note"].format(average=average)
    loss = money(kpis.max_single_loss, currency)
    yield "loss", loss, tone(kpis.max_single_loss), texts["loss_note"].format(count=kpis.max_consecutive_losses)


# ---- years and months ------------------------------------------------------------------------------------------------


def _years(report: Report, texts: Texts) -> Iterable[str]:
    names = ("year", "year_profit", "year_return", "year_total", "year_drawdown", "year_equity", "year_trades")
    yield f"<section><h2>{text(texts['years_section'])}</h2>"
    yield '<div class="wide"><table><thead><tr>'
    yield "".join(f'<th scope="col">{text(texts[name])}</th>' for name in names)
    yield "</tr></thead><tbody>"
    for year in report.kpis.years:
        cells = (
            (money(year.profit, sign=True), tone(year.profit)),
            (percents(year.percent, "", sign=True), tone(year.percent)),
            (percents(year.total, "", sign=True), tone(year.total)),
            (percents(year.drawdown, ""), ""),
            (money(year.equity), ""),
            (f"{year.trades:,}", ""),
        )
        row = "".join(f'<td class="{shade}">{text(value)}</td>' for value, shade in cells)
        yield f'<tr><th scope="row">{year.year}</th>{row}</tr>'
    yield "</tbody></table></div></section>"


def _months(report: Report, texts: Texts) -> Iterable[str]:
    found = month_returns(report)
    yield f"<section><h2>{text(texts['months_section'])}</h2>"
    yield f'<div class="wide"><table class="months"><thead><tr><th scope="col">{text(texts["year"])}</th>'
    yield "".join(f'<th scope="col">{text(name)}</th>' for name in texts["months"].split())
    yield f'<th scope="col">{text(texts["total"])}</th></tr></thead><tbody>'
    for year in report.kpis.years:
        cells = "".join(_month(found.get((year.year, month))) for month in range(1, 13))
        total = f'<td class="{tone(year.percent)}">{text(percents(year.percent, "", sign=True))}</td>'
        yield f'<tr><th scope="row">{year.year}</th>{cells}{total}</tr>'
    yield "</tbody></table></div></section>"


def month_returns(report: Report) -> dict[tuple[int, int], float]:
    """The return of each month in percent, by year and month."""
    keys = months(report.curve.time)
    rates = returns(report.curve, keys)
    ends = keys[lasts(keys)]
    return {
        (1970 + int(end) // 12, int(end) % 12 + 1): 100.0 * float(rate) for end, rate in zip(ends, rates, strict=True)
    }


def _month(rate: float | None) -> str:
    if rate is None:
        return "<td></td>"
    shade = min(_SHADES, 1 + int(abs(rate) / _STRONGEST * _SHADES)) if tone(rate) else 0
    kind = f"{'up' if rate > 0 else 'down'}{shade}" if shade else ""
    return f'<td class="{kind}">{text(percents(rate, "", sign=True).removesuffix(" %"))}</td>'
