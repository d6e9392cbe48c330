"""One account's report: what it is about, and in which forms it can be had. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mas._report.curve import Curve, Market, of_deals, of_replay
from mas._report.data import data_report
from mas._report.kpis import Kpis, measure
from mas._report.trades import History, read
from mas_router.errors import CallerError
from mas_router.mt5_tables import TIMEFRAMES

Row = Mapping[str, Any]
#: The text of a file of this package, by its name: reading it is the caller's.
Asset = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Account:
    """What a report is about. `info` has the AccountInfo fields; the rest is of a replay, or empty."""

    info: Row
    mode: str
    symbol: str = ""
    timeframe: str = ""
    synthetic: bool = False
    seed: int = 0

    @property
    def rows_of(self) -> str:
        """The timeframe whose bars are the rows of the report: of several the shortest; "" for ticks."""
        return min(filter(None, self.timeframe.split(", ")), key=TIMEFRAMES.__getitem__, default="")

    @property
    def currency(self) -> str:
        return str(self.info["currency"])


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """Everything that is known, and the forms in which it can be had. `markets`: a replay's symbols, else none."""

    account: Account
    history: History
    markets: Sequence[Market]
    curve: Curve
    kpis: Kpis
    made: int

    def data(self) -> dict[str, Any]:
        """What `generate_data_report` returns under "data"."""
        return data_report(self.kpis, self.history.trades)

    def kpi_page(self, asset: Asset, lang: str = "en") -> str:
        """A page of HTML with the figures, the curve and the trades."""
        from mas._report.kpi_page import kpi_page

        return kpi_page(self, asset, lang)

    def chart_page(self, asset: Asset, lang: str = "en") -> str:
        """A page of HTML with prices, entries and exits."""
        from mas._report.chart_page import chart_page

        return chart_page(self, asset, lang)


def report(
    account: Account, deals: Iterable[Row], markets: Sequence[Market], now: int, swaps: Iterable[Row] = ()
) -> Report:
    """The report of an account with these deals, and these swaps of open positions; `now` in UTC milliseconds.

    CallerError if it has not traded.
    """
    history = read(deals, swaps)
    if not history.deals:
        raise CallerError(f"nothing to report: there is no deal on {_named(account)}")
    balance, equity = float(account.info["balance"]), float(account.info["equity"])
    curve = of_replay(history, markets, balance, equity) if markets else of_deals(history, now, balance, equity)
    return Report(account, history, markets, curve, measure(history.trades, curve), now)


def _named(account: Account) -> str:
    login = account.info["login"]
    return f"the {'simulated' if account.mode == 'backtest' else 'live'} account {login}"


def moment(milliseconds: int, form: str = "%Y-%m-%d %H:%M") -> str:
    """A UTC time for people."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime(form)


def other_symbols(report: Report) -> Sequence[str]:
    """The symbols that were traded and have no prices in this report."""
    traded = dict.fromkeys(holding.symbol for holding in report.history.holdings)
    return [symbol for symbol in traded if symbol not in {market.symbol for market in report.markets}]
