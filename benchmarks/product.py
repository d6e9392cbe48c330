"""The product's paths: `mas.Client` over RabbitMQ to a simulator worker process, and embedded in this process.

The only file of the benchmarks that imports the product.
"""

from __future__ import annotations

import itertools
import time
import warnings
from collections import deque
from concurrent.futures import Future
from typing import Any

import load

import mas


class _Strategy(mas.Client):
    """A strategy as users write it: both callbacks are there, so both are prepared and called."""

    statuses = 0
    executions = 0

    def receive_order_status(self, order_id: str, status_data: dict[str, Any]) -> None:
        self.statuses += 1

    def receive_order_execution(self, order_id: str, execution_data: dict[str, Any]) -> None:
        self.executions += 1


class NotFilled(Exception):
    """An order was refused, or nobody was there to take it."""


class _Trader:
    """Closes the oldest position that is known to be open, and opens one when none is: the account never fills up.

    Buys and sells take turns, so that with a window of 1000 the margin of 1000 open positions is that of a hedge.
    """

    def __init__(self, strategy: _Strategy) -> None:
        self._strategy = strategy
        self._open: deque[tuple[int, str]] = deque()
        self._side, self._other = "buy", "sell"

    def _next(self) -> tuple[str, dict[str, Any]]:
        order: dict[str, Any] = {"symbol": "EURUSD", "volume": 0.01, "backtest_toggle": True}
        if self._open:
            ticket, side = self._open.popleft()
            return "", {**order, "order_type": "sell" if side == "buy" else "buy", "order_id": ticket}
        self._side, self._other = self._other, self._side
        return self._side, {**order, "order_type": self._side}

    def _take(self, opened: str, answer: mas.OrderId) -> None:
        if answer.state is not mas.State.FILLED:
            raise NotFilled(f"an order was not filled: {answer}")
        if opened:
            self._open.append((answer.position, opened))

    def send(self) -> None:
        opened, order = self._next()
        self._take(opened, self._strategy.send_order(order))

    def submit(self) -> tuple[str, Future[mas.OrderId]]:
        opened, order = self._next()
        return opened, self._strategy.submit(order)

    def wait(self, submitted: tuple[str, Future[mas.OrderId]]) -> None:
        opened, future = submitted
        self._take(opened, future.result(load.DEADLINE))


class Client:
    """Each measurement has an account of its own, so none inherits the positions and the losses of another."""

    def __init__(self, url: str, run: str) -> None:
        self._strategy = _Strategy(url=url)
        self._accounts = itertools.count(1001)
        self._wait_for_worker()

    def _wait_for_worker(self) -> None:
        give_up = time.monotonic() + load.DEADLINE
        while True:
            try:
                self._trader()
                return
            except NotFilled:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.1)

    def _trader(self) -> _Trader:
        """A trader on a new account, which its first order opens."""
        account = {"account": next(self._accounts), "password": "none", "server": "Bench", "timeout": 1000}
        with warnings.catch_warnings():
            # No MT5 worker serves the account, which is what the warning says; a backtest needs none.
            warnings.simplefilter("ignore", mas.NoWorkerWarning)
            self._strategy.login(account)
        trader = _Trader(self._strategy)
        trader.send()
        return trader

    def sequential(self, seconds: float) -> list[float]:
        return load.sequential(self._trader().send, seconds)

    def pipelined(self, seconds: float, window: int) -> float:
        trader = self._trader()
        return load.pipelined(trader.submit, trader.wait, seconds, window)

    def close(self) -> None:
        self._strategy.close()


class Embedded(Client):
    """The same without a broker: the simulator runs in this process, behind the memory transport."""

    def __init__(self, url: str, run: str) -> None:
        super().__init__("", run)
