"""The same strategy for each path: an order every `every` bars, which opens and closes a position in turn."""

from __future__ import annotations

from typing import Any

import mas

BUY = {"symbol": "EURUSD", "order_type": "buy", "volume": 0.1, "backtest_toggle": True}
SELL = {**BUY, "order_type": "sell"}


class NotFilled(Exception):
    """An order was refused: nothing that was measured counts."""


class Orders(mas.Client):
    """As users write it: whoever hears no status gets none prepared. `every` 0: no orders; `last`: stop at this row."""

    every = 0
    count = 0
    last = 0
    _position: mas.OrderId | None = None

    def receive_bars(self, symbol: str, data: dict[str, Any], is_end: bool = False) -> None:
        self.count += 1
        if self.every and not self.count % self.every:
            self._trade()

    def receive_ticks(self, symbol: str, data: dict[str, Any], is_end: bool = False) -> None:
        self.count += 1
        if self.count == self.last:
            self.stop_all_subscriptions()

    def _trade(self) -> None:
        order = BUY if self._position is None else {**SELL, "order_id": self._position}
        answer = self.send_order(order)
        if answer.state is not mas.State.FILLED:
            raise NotFilled(answer)
        self._position = answer if self._position is None else None


def backtesting_py(every: int) -> type:
    """The same for backtesting.py."""
    import backtesting

    class Strategy(backtesting.Strategy):
        count = 0

        def init(self) -> None: ...

        def next(self) -> None:
            self.count += 1
            if every and not self.count % every:
                if self.position:
                    self.position.close()
                else:
                    self.buy(size=10_000)

    return Strategy


def backtrader_strategy(every: int) -> type:
    """The same for backtrader."""
    import backtrader

    class Strategy(backtrader.Strategy):  # type: ignore[misc]  # it has no types
        def __init__(self) -> None:
            self.count = 0

        def next(self) -> None:
            self.count += 1
            if every and not self.count % every:
                if self.position:
                    self.close()
                else:
                    self.buy(size=10_000)

    return Strategy
