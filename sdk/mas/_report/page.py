"""The frame of a page: one file that needs nothing else, neither a network nor a server. Pure.

All text goes through `text`, all data through `embedded`; the page's policy allows its own style and program only.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from mas._report.curve import Curve
from mas._report.report import Asset, Report, moment
from mas._report.texts import SCRIPT, Texts
from mas._report.thin import digits_of
from mas._report.trades import Trade

_STYLE = "page.css"
_PROGRAMS = ("chart.js", "table.js", "page.js")


def text(value: object) -> str:
    """Any value as text of HTML."""
    return escape(str(value), quote=True)


def embedded(data: dict[str, Any]) -> str:
    """Data for the page's program. No sign of it can end the element it is in."""
    plain = json.dumps(data, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    safe = plain.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return f'<script type="application/json" id="data">{safe}</script>'


def page(
    report: Report, title: str, texts: Texts, lang: str, body: Iterable[str], data: dict[str, Any], asset: Asset
) -> str:
    """The whole file."""
    style = asset(_STYLE)
    program = "\n".join(asset(name) for name in _PROGRAMS)
    policy = f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(program)}'"
    common = {"texts": {name: texts[name] for name in SCRIPT}, "currency": report.account.currency}
    parts = [
        "<!doctype html>",
        f'<html lang="{text(_LANGUAGES.get(lang, lang))}"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{text(policy)}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        f"<title>{text(title)} · {text(_subject(report))}</title>",
        f"<style>{style}</style></head><body>",
        *_head(report, title, texts),
        "<main>",
        *body,
        "</main>",
        f"<footer><p>{text(texts['definitions'])}</p><p>{text(texts['times'])}</p></footer>",
        embedded({**common, **data}),
        f"<script>{program}</script>",
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


_LANGUAGES = {"zh-tw": "zh-Hant", "zh-cn": "zh-Hans"}


def _hash(code: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()


def _subject(report: Report) -> str:
    account = report.account
    return f"{account.symbol} {account.timeframe}".strip() if account.symbol else str(account.info["login"])


# ---- the head --------------------------------------------------------------------------------------------------------


def _head(report: Report, title: str, texts: Texts) -> Iterable[str]:
    account = report.account
    if account.synthetic:
        yield f'<p class="banner" role="note">{text(texts["synthetic"].format(seed=account.seed))}</p>'
    kind = texts["simulated" if account.mode == "backtest" else "live"]
    subject = f"<strong>{text(_subject(report))}</strong>" if account.symbol else ""
    yield f'<header><div class="title"><h1>{text(title)}</h1>'
    yield f'<p>{subject}<span class="tag">{text(kind)}</span></p></div>'
    yield '<dl class="facts">'
    yield from (f"<div><dt>{text(name)}</dt><dd>{text(value)}</dd></div>" for name, value in _facts(report, texts))
    yield "</dl></header>"


def _facts(report: Report, texts: Texts) -> Iterable[tuple[str, str]]:
    account, curve = report.account, report.curve
    yield texts["period"], f"{moment(int(curve.time[0]), '%Y-%m-%d')} – {moment(int(curve.time[-1]), '%Y-%m-%d')}"
    if report.markets:
        rows = texts["rows" if account.timeframe else "tick_rows"]
        yield account.rows_of or texts["ticks"], rows.format(count=f"{sum(map(len, report.markets)):,}")
    yield texts["capital"], money(started_with(curve), account.currency)
    yield texts["account"], " · ".join(str(account.info[name]) for name in ("login", "server") if account.info[name])
    yield texts["made"], moment(report.made)


def started_with(curve: Curve) -> float:
    """The capital, or the first deposit where there was none before it."""
    deposits = curve.flow[curve.flow > 0.0]
    return curve.capital or (float(deposits[0]) if len(deposits) else 0.0)


# ---- figures ---------------------------------------------------------------------------------------------------------


def money(value: float, currency: str = "", *, sign: bool = False) -> str:
    """An amount with two decimals."""
    number = f"{round(value, 2) + 0.0:+,.2f}" if sign else f"{round(value, 2) + 0.0:,.2f}"
    return f"{number} {currency}".strip().replace("-", "−")


def percents(value: float | None, none: str, *, sign: bool = False) -> str:
    """A percentage with two decimals; very large ones are shortened."""
    if value is None:
        return none
    if not math.isfinite(value) or abs(value) >= 1e6:
        return ("∞" if value > 0 else "−∞") + " %" if not math.isfinite(value) else f"{value:.2e} %"
    number = f"{round(value, 2) + 0.0:+,.2f}" if sign else f"{round(value, 2) + 0.0:,.2f}"
    return f"{number} %".replace("-", "−")


def figure(value: float | None, none: str) -> str:
    """A ratio with two decimals; infinite is ∞."""
    if value is None:
        return none
    return f"{round(value, 2) + 0.0:,.2f}".replace("-", "−") if math.isfinite(value) else "∞"


def tone(value: float) -> str:
    """The class of a gain or a loss."""
    return "gain" if value > 0.004 else "loss" if value < -0.004 else ""


# ---- data ------------------------------------------------------------------------------------------------------------


def trade_columns(report: Report, texts: Texts) -> dict[str, Any]:
    """The trades, one list for each field; times in seconds, texts as places in short lists."""
    trades = report.history.trades
    symbols = sorted({trade.symbol for trade in trades})
    reasons = sorted({trade.reason for trade in trades})
    return {
        "symbols": symbols,
        "reasons": [texts.get(f"reason_{reason}", reason) for reason in reasons],
        "digits": [_digits(trades, symbol) for symbol in symbols],
        "position": [trade.position for trade in trades],
        "symbol": [symbols.index(trade.symbol) for trade in trades],
        "side": [1 if trade.side == "buy" else -1 for trade in trades],
        "volume": [trade.volume for trade in trades],
        "opened": [None if trade.opened is None else trade.opened // 1000 for trade in trades],
        "price_open": [None if trade.price_open is None else round(trade.price_open, 8) for trade in trades],
        "closed": [trade.closed // 1000 for trade in trades],
        "price_close": [trade.price_close for trade in trades],
        "profit": [round(trade.profit, 2) for trade in trades],
        "costs": [round(trade.commission + trade.fee, 2) for trade in trades],
        "swap": [round(trade.swap, 2) for trade in trades],
        "net": [round(trade.net, 2) for trade in trades],
        "reason": [reasons.index(trade.reason) for trade in trades],
    }


def _digits(trades: Iterable[Trade], symbol: str) -> int:
    import numpy as np

    return digits_of(np.array([trade.price_close for trade in trades if trade.symbol == symbol]))


def trades_section(report: Report, texts: Texts) -> Iterable[str]:
    """The place of the table of trades, which the page's program fills."""
    yield f'<section id="trades"><h2>{text(texts["trades_section"])} <small>{report.kpis.trades:,}</small></h2>'
    yield '<div class="bar"><div class="choice" role="group">'
    for name, label in (("all", "all_trades"), ("wins", "only_wins"), ("losses", "only_losses")):
        yield _button(texts[label], texts[label], show=name, pressed="true" if name == "all" else "false")
    yield '</div><div class="pager"></div></div>'
    yield '<div class="wide"><table class="trades"><thead></thead><tbody></tbody></table></div></section>'


def _button(sign: str, label: str, *, pressed: str = "", **data: str) -> str:
    """A button for the page's program, which finds it by its data."""
    more = "".join(f' data-{name}="{text(value)}"' for name, value in data.items())
    more += f' aria-pressed="{pressed}"' if pressed else ""
    return f'<button type="button" title="{text(label)}" aria-label="{text(label)}"{more}>{text(sign)}</button>'


def chart_section(
    name: str, title: str, texts: Texts, hint: str, notes: Iterable[str] = (), symbols: Sequence[str] = ()
) -> Iterable[str]:
    """The place of a chart, which the page's program draws; of several symbols one of each, of which one is seen."""
    names = [name, *(f"{name}-{number}" for number in range(1, len(symbols)))]
    yield f'<section><div class="bar"><h2>{text(title)}</h2><div class="choice">'
    if len(symbols) > 1:
        options = "".join(f'<option value="{number}">{text(symbol)}</option>' for number, symbol in enumerate(symbols))
        yield f'<label for="symbol">{text(texts["symbol"])}</label><select id="symbol">{options}</select>'
    yield from (_zoom_buttons(one, texts, hidden=one != name) for one in names)
    yield "</div></div>"
    yield from (f'<div class="chart" id="{one}"{" hidden" if one != name else ""}></div>' for one in names)
    yield f'<p class="hint">{text(hint)}</p>'
    yield from (f'<p class="note">{text(note)}</p>' for note in notes)
    yield "</section>"


def _zoom_buttons(name: str, texts: Texts, *, hidden: bool) -> str:
    actions = (("in", "+", "zoom_in"), ("out", "−", "zoom_out"), ("all", "⤢", "zoom_all"))
    buttons = "".join(_button(sign, texts[label], zoom=action) for action, sign, label in actions)
    return f'<div class="choice" id="{name}-tools"{" hidden" if hidden else ""}>{buttons}</div>'
