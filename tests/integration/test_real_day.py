"""A strategy trades recorded quotes over RabbitMQ, and every fill is held against the files of those quotes.

MAS_TEST_QUOTES names a directory with `gbpusd-m1-bid-2012.csv` and `gbpusd-m1-ask-2012.csv` (M1 bars of February
2012, one file for each side, as FXCM publishes them). Without it, files of the same form are made up, so that the test
runs everywhere. What is right is worked out here from the text of the files, with nothing of the simulator.
"""

from __future__ import annotations

import csv
import itertools
import os
import random
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import mas
from mas import OrderId, State, mt5
from mas.testing.workers import Workers
from sim_worker.catalog import Catalog
from sim_worker.importers import Import

NAMES = {"bid": "gbpusd-m1-bid-2012.csv", "ask": "gbpusd-m1-ask-2012.csv"}
START = datetime(2012, 2, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PIP = 0.0001
ROUNDING = 1e-9
EVERY = 15  # bars between two orders
PATIENCE = timedelta(hours=12)  # the life of a pending order
ENTRY, STOP_LOSS, TAKE_PROFIT, BEHIND = 10 * PIP, 15 * PIP, 20 * PIP, 4 * PIP
TYPES = ("buy", "sell_limit", "buy_stop", "sell_stop_limit", "sell", "buy_limit", "sell_stop", "buy_stop_limit")
MONTH_SECONDS = 60.0


# ---- the quotes, as the files have them ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Side:
    """Open, high, low and close of one side in one minute."""

    open: float
    high: float
    low: float
    close: float


@dataclass(frozen=True)
class Minute:
    """Both sides. Where the files cross, the ask counts as raised to the bid, which the importer reports."""

    time: datetime
    bid: Side
    ask: Side

    def of(self, side: str) -> Side:
        return self.ask if side == "buy" else self.bid


def read(directory: Path) -> list[Minute]:
    with (directory / NAMES["bid"]).open() as bids, (directory / NAMES["ask"]).open() as asks:
        return [_minute(bid, ask) for bid, ask in zip(csv.DictReader(bids), csv.DictReader(asks), strict=True)]


def _minute(bid: dict[str, str], ask: dict[str, str]) -> Minute:
    assert bid["timestamp"] == ask["timestamp"]
    names = ("open", "high", "low", "close")
    low = [float(bid[name]) for name in names]
    high = [max(float(ask[name]), other) for name, other in zip(names, low, strict=True)]
    return Minute(datetime.fromisoformat(bid["timestamp"]), Side(*low), Side(*high))


def make_up(directory: Path, days: int) -> None:
    """Files of a random walk, with missing minutes, jumps, a spread that moves, and a weekend."""
    rng, price = random.Random(2012), 1.58
    rows: dict[str, list[list[str]]] = {"bid": [], "ask": []}
    for moment in _open_minutes(days, rng):
        price += rng.gauss(0, 2 * PIP) + (rng.choice((-12, 12)) * PIP if rng.random() < 0.004 else 0)
        spread = rng.choice((0.5, 1, 1, 2, 5)) * PIP
        path = [price, *(price + rng.gauss(0, 2 * PIP) for _ in range(3))]
        price = path[-1]
        for side, shift in (("bid", 0.0), ("ask", spread)):
            values = [path[0] + shift, max(path) + shift, min(path) + shift, path[-1] + shift]
            rows[side].append([f"{moment}", *(f"{value:.5f}" for value in values)])
    directory.mkdir(parents=True)
    for side, name in NAMES.items():
        with (directory / name).open("w", newline="") as file:
            csv.writer(file).writerows([["timestamp", "open", "high", "low", "close"], *rows[side]])


def _open_minutes(days: int, rng: random.Random) -> Iterator[datetime]:
    for number in range(days * 1440):
        moment = START + number * MINUTE
        friday_night = moment.weekday() == 4 and moment.hour >= 22
        sunday = moment.weekday() == 6 and moment.hour < 22
        if moment.weekday() != 5 and not friday_night and not sunday and rng.random() > 0.01:
            yield moment


def quotes_directory(tmp_path: Path, days: int) -> Path:
    named = os.environ.get("MAS_TEST_QUOTES")
    if named:
        return Path(named)
    make_up(tmp_path / "quotes", days)
    return tmp_path / "quotes"


# ---- the strategy ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sent:
    """An order, and the minute after which it was sent."""

    row: int
    fields: dict[str, Any]
    answer: OrderId

    @property
    def kind(self) -> str:
        return str(self.fields["order_type"])

    @property
    def side(self) -> str:
        return self.kind.partition("_")[0]


class Trader(mas.Client):
    """Sends one order of each type after the other, every EVERY bars, with a stop loss and a take profit."""

    def __init__(self, url: str) -> None:
        super().__init__(url, timeout=60)
        self.bars: list[dict[str, Any]] = []
        self.sent: list[Sent] = []
        self.statuses: list[dict[str, Any]] = []
        self.executions: list[dict[str, Any]] = []
        self._types = itertools.cycle(TYPES)

    def receive_bars(self, symbol: str, data: dict[str, Any], is_end: bool = False) -> None:
        self.bars.append(data)
        if len(self.bars) % EVERY == 0 and not is_end:
            fields = order(next(self._types), data["close"], data["time"])
            self.sent.append(Sent(len(self.bars) - 1, fields, self.send_order(fields)))

    def receive_order_status(self, order_id: str, status_data: dict[str, Any]) -> None:
        self.statuses.append(status_data)

    def receive_order_execution(self, order_id: str, execution_data: dict[str, Any]) -> None:
        self.executions.append(execution_data)


def order(kind: str, close: float, now: datetime) -> dict[str, Any]:
    """An order around the newest close of the bid."""
    up = 1 if kind.startswith("buy") else -1
    fields: dict[str, Any] = {"symbol": "GBPUSD", "order_type": kind, "volume": 0.01, "backtest_toggle": True}
    opening = close
    if "_" in kind:
        opening = close - up * ENTRY if kind.endswith("_limit") and "stop" not in kind else close + up * ENTRY
        fields |= {"price": round(opening, 5), "type_time": mt5.ORDER_TIME_SPECIFIED, "expiration": now + PATIENCE}
    if kind.endswith("stop_limit"):
        opening -= up * BEHIND
        fields["stoplimit"] = round(opening, 5)
    return fields | {"sl": round(opening - up * STOP_LOSS, 5), "tp": round(opening + up * TAKE_PROFIT, 5)}


# ---- what must hold --------------------------------------------------------------------------------------------------


class Judge:
    """Holds the executions of a run against the minutes of the files."""

    def __init__(self, minutes: list[Minute], trader: Trader) -> None:
        self.minutes, self.trader = minutes, trader
        self.times = [minute.time for minute in minutes]
        self.sent = {sent.answer.client_order_id: sent for sent in trader.sent}
        self.opened: dict[int, tuple[int, Sent]] = {}
        self.closed: set[int] = set()
        self.checked: Counter[str] = Counter()

    def row_of(self, moment: datetime) -> int:
        """The minute in which something happened. It must be one of the file's."""
        start = moment.replace(second=0, microsecond=0)
        row = bisect_left(self.times, start)
        assert self.times[row] == start, f"nothing was quoted at {moment}"
        return row

    def judge(self) -> None:
        for execution in self.trader.executions:
            row = self.row_of(execution["time"])
            quoted = self.minutes[row].of(execution["side"])
            inside = quoted.low - ROUNDING <= execution["price"] <= quoted.high + ROUNDING
            assert inside or self._gives_away_a_gap(execution, quoted), (execution, quoted)
            if execution["entry"] == "in":
                self._judge_entry(execution, row, quoted)
            else:
                self._judge_exit(execution, row)
            entered = execution["entry"] == "in"
            self.checked[self.sent[execution["client_order_id"]].kind if entered else execution["reason"]] += 1
        self._judge_what_did_not_happen()

    def _gives_away_a_gap(self, execution: dict[str, Any], quoted: Side) -> bool:
        """A limit that the market jumped over is filled at its own price, which is worse than all of that minute."""
        price, fields = execution["price"], self._fields_of(execution)
        own = fields["tp"] if execution["reason"] == "tp" else fields.get("stoplimit", fields.get("price"))
        return bool(price == own and (price > quoted.high if execution["side"] == "buy" else price < quoted.low))

    def _fields_of(self, execution: dict[str, Any]) -> dict[str, Any]:
        """The order that opened the position."""
        if execution["entry"] == "in":
            return self.sent[execution["client_order_id"]].fields
        return self.opened[execution["position_id"]][1].fields

    def _judge_entry(self, execution: dict[str, Any], row: int, quoted: Side) -> None:
        sent = self.sent[execution["client_order_id"]]
        assert execution["side"] == sent.side
        assert execution["type"] == sent.kind.replace("stop_limit", "limit"), "a stop-limit order becomes a limit order"
        self.opened[execution["position_id"]] = (row, sent)
        if "_" not in sent.kind:
            assert row == sent.row, "a market order is filled at the quote that the strategy sees"
            assert execution["price"] == quoted.close
            return
        assert row == self.first_fill(sent), f"{sent} was filled at {execution['time']}"
        up, price = (1 if sent.side == "buy" else -1), execution["price"]
        if sent.kind.endswith("limit"):
            limit = sent.fields.get("stoplimit", sent.fields["price"])
            assert up * (price - limit) <= ROUNDING, "a limit order is never filled worse than its limit"
        else:
            assert up * (price - sent.fields["price"]) >= -ROUNDING, "a stop order is never filled before its stop"

    def _judge_exit(self, execution: dict[str, Any], row: int) -> None:
        position, price = execution["position_id"], execution["price"]
        opened, sent = self.opened[position]
        self.closed.add(position)
        up = 1 if sent.side == "buy" else -1
        assert execution["side"] == ("sell" if up > 0 else "buy")
        assert execution["reason"] in ("sl", "tp")
        assert row == self.first_exit(sent, opened, row), f"{sent}, opened in row {opened}, was closed in row {row}"
        if execution["reason"] == "sl":
            assert self.reached(row, sent, "sl"), "the stop loss was touched"
            assert up * (price - sent.fields["sl"]) <= ROUNDING, "a stop loss is never better than its level"
        else:
            assert self.reached(row, sent, "tp"), "the take profit was touched"
            assert up * (price - sent.fields["tp"]) >= -ROUNDING, "a take profit is never worse than its level"

    def reached(self, row: int, sent: Sent, level: str) -> bool:
        """Whether the quotes at which the position would close touched its stop loss or take profit."""
        quoted = self.minutes[row].of("sell" if sent.side == "buy" else "buy")
        falling = (sent.side == "buy") == (level == "sl")
        edge = float(sent.fields[level])
        return quoted.low <= edge + ROUNDING if falling else quoted.high >= edge - ROUNDING

    def first_exit(self, sent: Sent, opened: int, closed: int | None) -> int | None:
        """The first minute that touches a level. The opening minute counts only if the position was closed in it."""
        start = opened if closed == opened else opened + 1
        rows = range(start, len(self.minutes))
        return next((row for row in rows if self.reached(row, sent, "sl") or self.reached(row, sent, "tp")), None)

    def first_fill(self, sent: Sent) -> int | None:
        """The first minute after it was sent that fills a pending order; None when none does before it expires."""
        last = bisect_left(self.times, sent.fields["expiration"])
        rows = iter(range(sent.row + 1, last))
        buys, price = sent.side == "buy", sent.fields["price"]
        if "stop" not in sent.kind:
            return next((row for row in rows if self._touches(row, sent.side, price, falling=buys)), None)
        stopped = next((row for row in rows if self._touches(row, sent.side, price, falling=not buys)), None)
        if stopped is None or not sent.kind.endswith("limit"):
            return stopped
        return self._limit_after(stopped, sent, last)

    def _limit_after(self, stopped: int, sent: Sent, last: int) -> int | None:
        """A stop-limit order: its limit counts from the quote that reached its stop on."""
        limit, buys = sent.fields["stoplimit"], sent.side == "buy"
        filled = next((e for e in self.trader.executions if e["client_order_id"] == sent.answer.client_order_id), None)
        if filled is not None and self.row_of(filled["time"]) == stopped:
            assert self._touches(stopped, sent.side, limit, falling=buys)
            return stopped
        return next((r for r in range(stopped + 1, last) if self._touches(r, sent.side, limit, falling=buys)), None)

    def _touches(self, row: int, side: str, level: float, *, falling: bool) -> bool:
        quoted = self.minutes[row].of(side)
        return quoted.low <= level + ROUNDING if falling else quoted.high >= level - ROUNDING

    def _judge_what_did_not_happen(self) -> None:
        """An order that was not filled could not be, and a position that is open touched neither of its levels."""
        for position, (row, sent) in self.opened.items():
            if position not in self.closed:
                assert self.first_exit(sent, row, None) is None, sent
        filled = {sent.answer.client_order_id for _, sent in self.opened.values()}
        for sent in self.trader.sent:
            if sent.answer.ok and sent.answer.client_order_id not in filled:
                assert "_" in sent.kind
                assert self.first_fill(sent) is None, sent


def trade(tmp_path: Path, url: str, workers: Workers, days: int) -> tuple[Judge, float]:
    """Import, replay the first days, and judge; the verdict and the seconds that the replay took."""
    source, catalog = quotes_directory(tmp_path, days + 4), tmp_path / "catalog"
    files = [source / NAMES["bid"], source / NAMES["ask"]]
    Catalog(catalog).write("GBPUSD", Import(files), "test", time.time_ns())
    workers.start(url, "quotes", data=catalog)
    minutes = [minute for minute in read(source) if minute.time < START + timedelta(days=days)]
    with Trader(url) as trader:
        started = time.monotonic()
        trader.subscribe_bars(
            {
                "symbol": "GBPUSD",
                "timeframe": "M1",
                "from": START,
                "to": START + timedelta(days=days),
                "capital": 100_000.0,
                "source": "catalog",
                "backtest_toggle": True,
            }
        )
        seconds = time.monotonic() - started
        assert_bars_are_the_bid_of_the_file(trader.bars, minutes)
        judge = Judge(minutes, trader)
        judge.judge()
        assert_records_agree(trader)
        return judge, seconds


def assert_bars_are_the_bid_of_the_file(bars: list[dict[str, Any]], minutes: list[Minute]) -> None:
    shown = [(bar["time"], bar["open"], bar["high"], bar["low"], bar["close"]) for bar in bars]
    assert shown == [(m.time, m.bid.open, m.bid.high, m.bid.low, m.bid.close) for m in minutes]


def assert_records_agree(trader: Trader) -> None:
    """The account's deals are the executions that were told, each once."""
    deals = [d["ticket"] for d in trader.get_order_history({"backtest_toggle": True}) if d["order"]]
    assert sorted(deals) == sorted(e["deal"] for e in trader.executions)
    assert len(set(deals)) == len(deals)


def assert_enough(judge: Judge, orders: int) -> None:
    """The run was one in which much could have gone wrong."""
    answers = Counter(sent.answer.state for sent in judge.trader.sent)
    assert len(judge.trader.sent) >= orders
    assert answers[State.REJECTED] + answers[State.DENIED] < orders / 10, answers
    assert {*TYPES, "sl", "tp"} <= set(judge.checked), judge.checked


def test_three_days_of_quotes_are_traded_as_the_files_have_them(
    tmp_path: Path, rabbit_url: str, workers: Workers
) -> None:
    judge, _ = trade(tmp_path, rabbit_url, workers, 3)
    assert_enough(judge, 200)


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_month_of_quotes_is_traded_as_the_files_have_them_within_a_minute(
    tmp_path: Path, rabbit_url: str, workers: Workers
) -> None:
    judge, seconds = trade(tmp_path, rabbit_url, workers, 29)
    assert_enough(judge, 1500)
    assert seconds < MONTH_SECONDS
