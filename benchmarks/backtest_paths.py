"""Backtests that are measured: the product embedded and over RabbitMQ, its peers, and the bare loop.

Each class is the client side of one path in a process of its own (`processes.ClientProcess`). `rows` bars of one symbol
are in a catalog that the run has made; a strategy sends a market order every `every` bars, which opens and closes a
position in turn. What is timed begins with the call that starts a backtest on rows that lie on the disk (the product)
or in a data frame (the others), and ends when it returns.
"""

from __future__ import annotations

import resource
import sys
import time
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

SYMBOL, TICK_SYMBOL = "EURUSD", "GBPUSD"
SINCE = datetime(2023, 1, 2, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BLOCK = 4096


def until(bars: int) -> datetime:
    """The end of a range with so many M1 bars; the market rests from Friday 22:00 to Sunday 22:00."""
    weeks, minutes = divmod(bars, 7200)
    friday = SINCE + timedelta(days=4, hours=22)
    moment = SINCE + timedelta(minutes=minutes)
    return moment + timedelta(weeks=weeks) + (timedelta(days=2) if moment > friday else timedelta())


class Product:
    """`mas.Client`, embedded when the URL is empty. `run` is the directory of the catalog."""

    def __init__(self, url: str, run: str) -> None:
        from backtest_strategies import Orders

        self._make = lambda: Orders(url, data=run, timeout=30)
        with self._make() as client:  # everything is imported, and there is a worker
            client.subscribe_bars(self._range(100, "M1"))

    def _range(self, bars: int, timeframe: str) -> dict[str, Any]:
        symbol = SYMBOL if timeframe else TICK_SYMBOL
        given = {"symbol": symbol, "from": SINCE, "to": until(bars), "backtest_toggle": True, "capital": 1e6}
        return {**given, "timeframe": timeframe} if timeframe else given

    def bars(self, bars: int, every: int) -> tuple[int, float]:
        """How many rows there were, and seconds."""
        with self._make() as client:
            client.every = every
            start = time.perf_counter()
            client.subscribe_bars(self._range(bars, "M1"))
            return client.count, time.perf_counter() - start

    def ticks(self, bars: int) -> tuple[int, float]:
        with self._make() as client:
            start = time.perf_counter()
            client.subscribe_ticks(self._range(bars, ""))
            return client.count, time.perf_counter() - start

    def year_of_ticks(self, ticks: int) -> tuple[int, float]:
        """How many synthetic ticks came, and the megabytes by which the process grew meanwhile."""
        with self._make() as client:
            client.last = ticks
            before = _peak()
            client.subscribe_ticks({**self._range(6_000_000, ""), "source": "synthetic"})
            return client.count, _peak() - before

    def close(self) -> None: ...


def _peak() -> float:
    """The most memory that this process has had, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


class Bare:
    """What Python needs at least: a callback for each row, with the documented dictionary. Nothing trades."""

    def __init__(self, url: str, run: str) -> None:
        from sim_worker.catalog import Catalog

        self._catalog = Catalog(Path(run))
        self.count = 0

    def _columns(self, bars: int, *names: str, ticks: bool = False) -> list[Any]:
        start, end = (int(moment.timestamp()) * 10**9 for moment in (SINCE, until(bars)))
        catalog = self._catalog
        rows = catalog.read_ticks(TICK_SYMBOL, start, end) if ticks else catalog.read(SYMBOL, start, end)
        return [getattr(rows, name) for name in names]

    def _callback(self, symbol: str, data: dict[str, Any], is_end: bool = False) -> None:
        self.count += 1

    def bars(self, bars: int, every: int) -> tuple[int, float]:
        columns = self._columns(bars, "time", "open", "high", "low", "close", "volume")
        self.count, symbol, timeframe, call = 0, SYMBOL, "M1", self._callback
        start = time.perf_counter()
        for first in range(0, len(columns[0]), _BLOCK):
            times, *rest = (column[first : first + _BLOCK] for column in columns)
            for moment, opened, high, low, close, volume in zip(
                _times(times), *(column.tolist() for column in rest), strict=True
            ):
                row = {
                    "time": moment,
                    "open": opened,
                    "high": high,
                    "low": low,
                    "close": close,
                    "volume": volume,
                    "symbol": symbol,
                    "timeframe": timeframe,
                }
                call(symbol, row, False)
        return self.count, time.perf_counter() - start

    def ticks(self, bars: int) -> tuple[int, float]:
        columns = self._columns(bars, "time", "bid", "ask", ticks=True)
        self.count, symbol, call = 0, TICK_SYMBOL, self._callback
        start = time.perf_counter()
        for first in range(0, len(columns[0]), _BLOCK):
            times, *rest = (column[first : first + _BLOCK] for column in columns)
            for moment, bid, ask in zip(_times(times), *(column.tolist() for column in rest), strict=True):
                row = {"time": moment, "bid": bid, "ask": ask, "last": 0.0, "volume": 0, "symbol": symbol}
                call(symbol, row, False)
        return self.count, time.perf_counter() - start

    def close(self) -> None: ...


def _times(column: Any) -> list[datetime]:
    """Aware times: one base, and what lies between."""
    base = _EPOCH + timedelta(microseconds=int(column[0]) // 1000)
    return [base + ahead for ahead in ((column - column[0]) // 1000).astype("m8[us]").tolist()]


class Simulator:
    """The trade server alone over arrays of quotes: resting orders and open positions, and no strategy."""

    def __init__(self, url: str, run: str) -> None: ...

    def quotes(self, count: int, orders: int, positions: int) -> tuple[int, float]:
        """`orders` rest and `positions` are open in a market in which now and then one of the orders is reached."""
        from sim_worker.market import run

        engine, quotes = self._account(orders, positions), self._quotes(count)
        start, events = time.perf_counter(), 0
        for first in range(0, count, 262_144):
            events += len(run(engine, SYMBOL, quotes[first : first + 262_144]))
        return events, time.perf_counter() - start

    def _account(self, orders: int, positions: int) -> Any:
        """Buy limits one point apart, from 20 points below the market down."""
        from mas_router import mt5, request
        from sim_worker.engine import Engine
        from sim_worker.specs import AccountSpec

        account = AccountSpec(
            login="1", server="", currency="USD", leverage=100, deposit=1e7, margin_mode="hedging", limit_orders=0
        )
        engine = Engine(account)
        engine.quote(SYMBOL, 0, 1.1, 1.1001)
        buys = [request.deal(SYMBOL, mt5.OrderType.BUY, 0.1) for _ in range(positions)]
        below = (round(1.0981 - place * 0.0001, 5) for place in range(orders))
        buys += [request.pending(SYMBOL, mt5.OrderType.BUY_LIMIT, 0.01, price) for price in below]
        for built in buys:
            assert engine.trade(built.request, 1).result.retcode in (10008, 10009)
        return engine

    def _quotes(self, count: int) -> Any:
        """Prices that drift down by 30 points over the run, so that three orders out of a hundred are reached."""
        import numpy as np

        from sim_worker.quotes import Quotes

        wobble = np.random.default_rng(1).normal(0, 0.0002, count)
        bid = np.round(1.1 + wobble.clip(-0.0005, 0.0005) - np.linspace(0, 0.003, count), 5)
        time_ = np.arange(count, dtype=np.int64) * 10**9 + 10**9
        return Quotes(time=time_, bid=bid, ask=np.round(bid + 0.0001, 5))

    def close(self) -> None: ...


class _Frame:
    """A peer that takes a pandas data frame."""

    def __init__(self, url: str, run: str) -> None:
        self._bare = Bare("", run)

    def _frame(self, bars: int) -> Any:
        import pandas

        time_, *prices = self._bare._columns(bars, "time", "open", "high", "low", "close", "volume")
        names = ("Open", "High", "Low", "Close", "Volume")
        return pandas.DataFrame(dict(zip(names, prices, strict=True)), index=pandas.to_datetime(time_))

    def close(self) -> None: ...


class BacktestingPy(_Frame):
    """backtesting.py, which its users call the fastest of those with a callback for each bar."""

    def bars(self, bars: int, every: int) -> tuple[int, float]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import backtesting
            from backtest_strategies import backtesting_py

            backtesting.backtesting._tqdm = lambda rows, **_: rows  # without its progress bar
            test = backtesting.Backtest(self._frame(bars), backtesting_py(every), cash=1e6, finalize_trades=True)
            start = time.perf_counter()
            test.run()
            return bars, time.perf_counter() - start


class Backtrader(_Frame):
    """backtrader; its rate does not depend on the number of bars, so it gets fewer."""

    def bars(self, bars: int, every: int) -> tuple[int, float]:
        import backtrader
        from backtest_strategies import backtrader_strategy

        cerebro = backtrader.Cerebro(stdstats=False)
        cerebro.adddata(backtrader.feeds.PandasData(dataname=self._frame(bars)))
        cerebro.addstrategy(backtrader_strategy(every))
        cerebro.broker.setcash(1e6)
        start = time.perf_counter()
        cerebro.run()
        return bars, time.perf_counter() - start
