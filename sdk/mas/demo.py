"""`mas demo`: the documentation's programs and a short backtest, with all that they cause on one page.

A user of the SDK like any other: everything here goes through `mas.Client`.
"""

from __future__ import annotations

import time
import warnings
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mas import mt5
from mas.client import Client, NoWorkerWarning
from mas.order_id import OrderId
from mas_router.cli.screen import screen, table
from mas_router.errors import RemoteError
from mas_router.orders import State

SYMBOL: Final = "EURUSD"
LOGIN: Final = {"account": 1001, "password": "any password", "server": "Demo"}
PIP: Final = 0.0001
#: Stop loss and take profit of the documentation's pending order, from its price.
LEVELS: Final = {"sl": -34.5 * PIP, "tp": 65.5 * PIP}
FROM, TO, SEED = "2025-03-03", "2025-03-08", 7
FAST, SLOW = 24, 96
TRADES_SHOWN = 6
RED, GREEN = "red", "green"

Fields = dict[str, Any]


def command(
    url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Run it over this RabbitMQ, on the accounts of a `mas sim-worker`."),
    ] = None,
) -> None:
    """Send orders, close a position and run a backtest on a simulated account; nothing real can happen.

    Without --url everything runs in this process and no message broker is needed.
    """
    started, console = time.monotonic(), screen()
    place = "over RabbitMQ, with a worker's simulated account" if url else "in this process, with a simulated account"
    console.print(f"[bold]MAS demo[/] {place}.")
    console.print(f"[yellow]All quotes are synthetic[/]: made-up {SYMBOL} prices, not those of any market.\n")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NoWorkerWarning)  # no live account is wanted here
        _orders(console, url or "")
        _backtest(console, url or "")
    _farewell(console, url, time.monotonic() - started)


# ---- orders --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Step:
    """One call: what it was in words, and what it returned."""

    text: str
    answer: OrderId | bool


class Desk(Client):
    """The documentation's client: it keeps what its callbacks hear."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.steps: list[Step] = []
        self.deals: list[Fields] = []
        self.heard: list[str] = []
        self.notes: list[str] = []

    def receive_order_status(self, order_id: str, status_data: Fields) -> None:
        self.heard.append(f"{order_id} {status_data['state']}")
        _, colon, note = status_data["message"].partition("; ")
        if colon:  # what was asked for was not quite what MT5 does, and the message says so
            self.notes.append(f"{order_id}: {note}")

    def receive_order_execution(self, order_id: str, execution_data: Fields) -> None:
        self.heard.append(f"{order_id} deal")
        self.deals.append(execution_data)

    def order(self, order_type: str, **fields: Any) -> OrderId:
        """Send an order and note it."""
        params = {"symbol": SYMBOL, "order_type": order_type, "volume": 0.1, "backtest_toggle": True, **fields}
        answer = self.send_order(params)
        self.steps.append(Step(_in_words(params), answer))
        return answer

    def change(self, words: str, answer: bool) -> None:
        """Note what became of a change to an order."""
        self.steps.append(Step(words, answer))


def _orders(console: Console, url: str) -> None:
    with Desk(url) as desk:
        desk.login(LOGIN)
        before = _account(desk)
        _send_all(desk)
        after = _account(desk)
    console.print(_steps(desk))
    for note in dict.fromkeys(desk.notes):
        console.print(f"[yellow]{escape(note)}[/]")
    console.print(f"\n[bold]Callbacks[/] in order: {escape(', '.join(desk.heard))}\n")
    console.print(_accounts("The account", before, after))
    console.print()


def _send_all(desk: Desk) -> None:
    """The documentation's three programs, at prices around this market's, and what else one does on the first day."""
    sold = desk.order("sell")
    bid = desk.get_positions()[0]["price_open"]
    below, above = round(bid - 100 * PIP, 5), round(bid + 200 * PIP, 5)
    stops = {name: round(below + distance, 5) for name, distance in LEVELS.items()}
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    resting = desk.order(
        "buy_limit",
        price=below,
        **stops,
        deviation=10,
        magic=888888,
        comment="Test Order",
        type_time=mt5.ORDER_TIME_GTC,
        expiration=tomorrow,
        type_filling=mt5.ORDER_FILLING_IOC,
    )
    lower = round(below - 10 * PIP, 5)
    desk.change(f"modify_order {resting} to {lower}", desk.modify_order({"order_id": resting, "price": lower}))
    cancelled = desk.order("sell_limit", price=above)
    desk.change(f"cancel_order {cancelled}", desk.cancel_order({"order_id": cancelled}))
    desk.order("buy", order_id=sold)
    desk.order("buy", volume=0.013)


def _in_words(params: Fields) -> str:
    """`buy_limit 0.1 EURUSD @ 1.07`, and what was added."""
    text = f"{params['order_type']} {params['volume']:g} {params['symbol']}"
    if "price" in params:
        text += f" @ {params['price']}"
    text += "".join(f", {name} {params[name]}" for name in ("sl", "tp") if name in params)
    text += ", IOC" if "type_filling" in params else ""
    text += ", expiration" if "expiration" in params else ""
    return f"{text}, closes {params['order_id']}" if "order_id" in params else text


def _steps(desk: Desk) -> Table:
    made = table("Orders", "called", "returned", "state now", "retcode", "executions")
    for step in desk.steps:
        answer = step.answer
        if isinstance(answer, OrderId):
            deals = [f"{deal['volume']:g} @ {deal['price']}" for deal in desk.deals if deal["ticket"] == answer.ticket]
            state = f"[{_colour(answer.state)}]{answer.state}[/]"
            made.add_row(escape(step.text), escape(answer), state, str(answer.retcode), ", ".join(deals) or "-")
        else:
            made.add_row(escape(step.text), str(answer))
    return made


def _colour(state: State) -> str:
    return {State.FILLED: GREEN, State.ACCEPTED: "cyan", State.CANCELED: "yellow"}.get(state, RED)


# ---- accounts ------------------------------------------------------------------------------------------------------


def _account(client: Client) -> Fields:
    """The account and what is open on it. Raises RemoteError when there is none."""
    account = client.get_account_info({"backtest_toggle": True})
    if "error" in account:
        raise RemoteError(str(account["error"]))
    return {**account, "positions": len(client.get_positions()), "pending orders": client.get_orders_total()}


def _accounts(title: str, before: Fields, after: Fields) -> Table:
    made = table(title, "", "before", "after", numbers=("before", "after"))
    for name in ("balance", "equity", "margin"):
        made.add_row(name, *(f"{at[name]:,.2f} {at['currency']}" for at in (before, after)))
    for name in ("positions", "pending orders"):
        made.add_row(name, str(before[name]), str(after[name]))
    return made


# ---- a backtest ----------------------------------------------------------------------------------------------------


class Crossing(Client):
    """Holds one position, in the direction of the faster of two moving averages, and ends flat."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.closes: deque[float] = deque(maxlen=SLOW)
        self.bars = 0
        self.held: OrderId | None = None
        self.side = ""
        self.entered: Fields = {}
        self.trades: list[tuple[Fields, Fields]] = []

    def receive_order_execution(self, order_id: str, execution_data: Fields) -> None:
        if execution_data["entry"] == "in":
            self.entered = execution_data
        else:
            self.trades.append((self.entered, execution_data))

    def receive_bars(self, symbol: str, data: Fields, is_end: bool = False) -> None:
        self.bars += 1
        self.closes.append(data["close"])
        if is_end:
            self.turn("")
        elif len(self.closes) == SLOW:
            fast = sum(list(self.closes)[-FAST:]) / FAST
            self.turn("buy" if fast > sum(self.closes) / SLOW else "sell")

    def turn(self, side: str) -> None:
        """Hold this side; an empty one holds nothing."""
        if side == self.side:
            return
        if self.held is not None:
            self.send("sell" if self.side == "buy" else "buy", order_id=self.held)
        self.held, self.side = (self.send(side) if side else None), side

    def send(self, side: str, **fields: Any) -> OrderId:
        order = {"symbol": SYMBOL, "order_type": side, "volume": 0.1, "backtest_toggle": True, **fields}
        return self.send_order(order)


def _backtest(console: Console, url: str) -> None:
    replay = {"symbol": SYMBOL, "timeframe": "M5", "from": FROM, "to": TO, "capital": 10_000, "backtest_toggle": True}
    with Crossing(url) as strategy:
        strategy.login(LOGIN)
        started = time.monotonic()
        strategy.subscribe_bars({**replay, "source": "synthetic", "seed": SEED})
        seconds = time.monotonic() - started
        after = _account(strategy)
    before = {**after, "balance": 10_000.0, "equity": 10_000.0, "margin": 0.0, "positions": 0, "pending orders": 0}
    console.print(_trades(strategy))
    what = f"{strategy.bars} synthetic M5 bars, {FROM} to {TO}, seed {SEED}"
    console.print(f"{what}: {len(strategy.trades)} trades in {seconds:.2f} s\n")
    console.print(_accounts("The account of the backtest", before, after))
    console.print()


def _trades(strategy: Crossing) -> Table:
    numbers = ("volume", "in", "out", "profit")
    title = f"Backtest: averages of {FAST} and {SLOW} bars cross (the last {TRADES_SHOWN} trades)"
    made = table(title, "opened (UTC)", "closed (UTC)", "side", *numbers, numbers=numbers)
    for entered, left in strategy.trades[-TRADES_SHOWN:]:
        profit = left["profit"]
        made.add_row(
            *(f"{deal['time']:%Y-%m-%d %H:%M}" for deal in (entered, left)),
            entered["side"],
            f"{left['volume']:g}",
            *(f"{deal['price']:.5f}" for deal in (entered, left)),
            f"[{GREEN if profit >= 0 else RED}]{profit:+.2f}[/]",
        )
    return made


# ---- the page ------------------------------------------------------------------------------------------------------


def _farewell(console: Console, url: str | None, seconds: float) -> None:
    console.print(f"Done in {seconds:.1f} s. [bold]What to try next[/]")
    if not url:
        console.print("  over RabbitMQ   set MAS_URL=amqp://user:password@host:5672/ and start: mas sim-worker")
        console.print("                  then: mas demo --url amqp://user:password@host:5672/")
    console.print("  watch it        mas status, mas tail")
    console.print("  your quotes     mas data import --help; then leave `source` out of subscribe_bars")
