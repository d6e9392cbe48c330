"""A client that remembers what it heard, and what every test of a whole system asks of that record."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mas
from mas import OrderId

SIMULATED = {"backtest_toggle": True}
LOTS = 0.01


@dataclass(frozen=True)
class Heard:
    """One callback: `kind` is status or execution, `at` the monotonic time of its arrival."""

    kind: str
    order_id: str
    data: dict[str, Any]
    at: float

    @property
    def order(self) -> str:
        return str(self.data["client_order_id"])

    @property
    def of_change(self) -> bool:
        """The answer to a change of the order, not to the order itself."""
        return "action" in self.data

    @property
    def state(self) -> str:
        return str(self.data.get("state", ""))


class Recorder(mas.Client):
    """Keeps every callback in the order in which it came."""

    def __init__(self, url: str | None = None, **settings: Any) -> None:
        super().__init__(url, **settings)
        self.heard: list[Heard] = []
        self._news = threading.Condition()
        self._sides = itertools.cycle(("buy", "sell"))

    def receive_order_status(self, order_id: str, status_data: dict[str, Any]) -> None:
        self._hear("status", order_id, status_data)

    def receive_order_execution(self, order_id: str, execution_data: dict[str, Any]) -> None:
        self._hear("execution", order_id, execution_data)

    def _hear(self, kind: str, order_id: str, data: dict[str, Any]) -> None:
        with self._news:
            self.heard.append(Heard(kind, order_id, data, time.monotonic()))
            self._news.notify_all()

    def market_order(self, **fields: Any) -> dict[str, Any]:
        """A small order. Buys and sells take turns, so that margin never runs out."""
        order = {"symbol": "EURUSD", "order_type": next(self._sides), "volume": LOTS, **SIMULATED}
        return {**order, **fields}

    def of(self, order: str, kind: str | None = None) -> list[Heard]:
        """The callbacks of one order, by its client order id."""
        return [heard for heard in list(self.heard) if heard.order == order and kind in (None, heard.kind)]

    def wait_heard(self, condition: Callable[[], bool], what: str, seconds: float = 10) -> None:
        """Wait for callbacks. Fails, naming what did not come."""
        with self._news:
            assert self._news.wait_for(condition, seconds), f"waited {seconds:g} s in vain for {what}"

    def deals(self, **fields: Any) -> list[dict[str, Any]]:
        """The account's trades, without the deposit."""
        return [deal for deal in self.get_order_history({**SIMULATED, **fields}) if deal["order"]]


def settled(orders: list[OrderId]) -> bool:
    """No order is in doubt, and none is still on its way."""
    return all(order.final or order.ok for order in orders)


def assert_every_order_has_one_truth(client: Recorder, orders: list[OrderId]) -> None:
    """What the client was told and what the trade server did are the same, and nothing was done or told twice.

    Holds for orders that are filled once, by one deal, or not at all.
    """
    filled = [order for order in orders if order.state is mas.State.FILLED]
    tickets = Counter(order.ticket for order in filled)
    assert tickets == Counter(deal["order"] for deal in client.deals())
    client.wait_heard(lambda: len(_executed(client)) >= len(filled), f"{len(filled)} execution callbacks")
    assert Counter(order.client_order_id for order in filled) == Counter(_executed(client))
    for order in orders:
        _assert_told_in_order(client, order)


def _executed(client: Recorder) -> list[str]:
    return [heard.order for heard in list(client.heard) if heard.kind == "execution"]


def _assert_told_in_order(client: Recorder, order: OrderId) -> None:
    # A cancellation that came too late is told as well; it is no news of the order.
    news = [
        heard for heard in client.of(order.client_order_id) if heard.data["reason"] != "refused" or not heard.of_change
    ]
    told = [heard.state or heard.kind for heard in news]
    assert told.count(order.state.value) == 1, f"{order.client_order_id} is {order.state}, its callbacks: {told}"
    if order.state is mas.State.FILLED:
        assert told[-2:] == ["FILLED", "execution"], told
    else:
        assert "execution" not in told
        assert told[-1] == order.state.value
