"""Where execution cases are played. A stage for another trade server is one more class with `play`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

import mas
from mas import OrderId
from sim_worker.catalog import Catalog
from sim_worker.quotes import Quotes
from tests.conformance.execution import (
    Act,
    Case,
    Data,
    Played,
    Quote,
    execution_line,
    history_line,
    numbered,
    order_line,
    position_line,
    status_line,
)

#: The fields of a call that may name an order of the case.
REFERENCES = ("order_id", "position", "position_by", "position_id")
#: A range is longer than its quotes on both sides, so that a case may let the market rest for a day.
REST = timedelta(days=1)


class Player(mas.Client):
    """Plays the calls of one case, and writes down what it hears."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.case: Case
        self.orders: dict[str, OrderId] = {}
        self.heard: list[tuple[datetime, str]] = []

    @property
    def mine(self) -> Data:
        return {"account": self.case.number, "backtest_toggle": True}

    def act(self, when: datetime, number: int) -> None:
        """Make the calls at this quote."""
        for call in self.case.do.get(number, []):
            self.heard.append((when, f"> {self._call(call)}"))

    def _call(self, call: Act) -> str:
        given = {name: self._known(name, value) for name, value in call.params.items()}
        if call.method != "send_order":
            done = getattr(self, call.method)({**self.mine, **given})
            return f"{call.method.split('_')[0]} {call.name} {done}"
        ids = {"symbol": self.case.name_of(self.case.symbol), "client_order_id": call.name}
        answer = self.send_order({**self.mine, **ids, **given})
        self.orders.setdefault(call.name, answer)
        return f"{call.name} {'ok' if answer.ok else answer.retcode or answer.state.value}"

    def _known(self, name: str, value: object) -> object:
        if name == "symbol":
            return self.case.name_of(str(value))
        return self.orders.get(str(value), value) if name in REFERENCES else value

    def name_of(self, client_order_id: str, *tickets: int) -> str:
        """The case's name of an order: by the id that it was sent with, its ticket, or the position that it opened."""
        if client_order_id in self.orders:
            return client_order_id
        mine = {order.position: name for name, order in reversed(self.orders.items())}
        mine |= {order.ticket: name for name, order in self.orders.items()}
        return next((mine[ticket] for ticket in tickets if ticket in mine and ticket), "?")

    def receive_order_status(self, order_id: str, status_data: Data) -> None:
        name = self.name_of(status_data["client_order_id"], status_data["ticket"] or status_data["position_id"])
        self.heard.append((status_data["time"], status_line(self.case, name, status_data)))

    def receive_order_execution(self, order_id: str, execution_data: Data) -> None:
        name = self.name_of(execution_data["client_order_id"], execution_data["position_id"])
        self.heard.append((execution_data["time"], execution_line(self.case, name, execution_data)))

    def records(self) -> dict[str, list[str]]:
        """What the account shows, by kind."""
        case, account = self.case, self.get_account_info(self.mine)
        history = self.get_history_orders(self.mine)
        positions, orders = self.get_positions(self.mine), self.get_pending_orders(self.mine)
        return {
            "position": [position_line(case, self.name_of("", row["ticket"]), row) for row in positions],
            "order": [order_line(case, self.name_of("", row["ticket"]), row) for row in orders],
            "history": [
                history_line(case, self.name_of("", row["ticket"], row["position_id"]), row) for row in history
            ],
            **{name: [f"{name} {account[name]:.2f}"] for name in ("balance", "equity", "margin", "margin_level")},
        }


class Replayer(Player):
    """Plays a case on a replay: the calls are made inside `receive_ticks`."""

    def receive_ticks(self, symbol: str, data: Data, is_end: bool = False) -> None:
        if symbol == self.case.name_of(self.case.symbol):
            self.act(data["time"], self._seen)
            self._seen += 1

    def play(self) -> None:
        case, self._seen = self.case, 0
        script = case.script()
        self.subscribe_ticks(
            {
                # The case's own symbol comes last: at its quotes, those of the others at that time are known.
                "symbol": [case.name_of(symbol) for symbol in (*case.also, case.symbol)],
                "from": script[0].time - REST,
                "to": script[-1].time + REST,
                **self.mine,
            }
        )
        assert self._seen == len(script)


class ReplayStage:
    """A replay of a catalog: of the simulator in this process, or of a worker behind RabbitMQ."""

    def __init__(self, url: str, data: Path, market: Path) -> None:
        self._url, self._data, self._market = url, data, market

    def play(self, case: Case) -> Played:
        for symbol in ("", *case.beside, *case.also):
            write(self._data, case.name_of(symbol or case.symbol), case.script(symbol))
        with Replayer(self._url, data=self._data, market=self._market) as player:
            player.case = case
            player.play()
            return Played(numbered(case, player.heard), player.records())


def write(directory: Path, symbol: str, script: list[Quote]) -> None:
    """Put quotes into a catalog."""

    def column(read: Callable[[Quote], float]) -> Any:
        return np.array([read(quote) for quote in script])

    times = np.array([int(quote.time.timestamp()) * 1_000_000_000 for quote in script], dtype=np.int64)
    quotes = Quotes(time=times, bid=column(lambda q: q.bid), ask=column(lambda q: q.ask))
    Catalog(directory).write(symbol, [quotes], "execution cases", 0)
