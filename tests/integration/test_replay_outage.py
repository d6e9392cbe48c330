"""A backtest over RabbitMQ is the same backtest: without a broker, with one, and with one that dies in the middle."""

from __future__ import annotations

import threading
from typing import Any

import pytest

import mas
from mas.testing.workers import Workers
from tests.rabbit import Rabbit

OUTAGE_SECONDS = 4.0
RANGE = {"symbol": "EURUSD", "timeframe": "M5", "from": "2024-01-01", "to": "2024-01-08", "source": "synthetic"}
NOT_COMPARED = {"session", "client_order_id"}

Log = list[tuple[str, object]]


class Trader(mas.Client):
    """Trades on every tenth bar, and keeps all that it is told."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.log: Log = []
        self.bars = 0

    def receive_order_status(self, order_id: str, status_data: dict[str, Any]) -> None:
        self.log.append((order_id, {k: v for k, v in status_data.items() if k not in NOT_COMPARED}))

    def receive_order_execution(self, order_id: str, execution_data: dict[str, Any]) -> None:
        self.log.append((order_id, {k: v for k, v in execution_data.items() if k not in NOT_COMPARED}))

    def receive_bars(self, symbol: str, data: dict[str, Any], is_end: bool = False) -> None:
        self.log.append(("bar", data["time"]))
        self.bars += 1
        if self.bars % 10 == 0:
            levels = {"sl": data["close"] - 0.002, "tp": data["close"] + 0.002}
            self.send_order({"symbol": symbol, "order_type": "buy", "volume": 0.01, **levels, "backtest_toggle": True})


class UnluckyTrader(Trader):
    """Its broker dies in the middle of the range, and comes back."""

    rabbit: Rabbit

    def receive_bars(self, symbol: str, data: dict[str, Any], is_end: bool = False) -> None:
        if self.bars == 700:
            self.rabbit.stop()
            threading.Timer(OUTAGE_SECONDS, self.rabbit.start).start()
        super().receive_bars(symbol, data, is_end)


def run(trader: Trader) -> Log:
    with trader:
        trader.subscribe_bars({**RANGE, "backtest_toggle": True})
    return trader.log


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_backtest_gives_the_same_over_a_broker_that_dies_in_the_middle(
    rabbit: Rabbit, rabbit_url: str, workers: Workers
) -> None:
    if not rabbit.can_control:
        pytest.skip("this RabbitMQ cannot be stopped by the test")
    workers.start(rabbit_url, "one")
    alone, over = run(Trader("")), run(Trader(rabbit_url))
    unlucky = UnluckyTrader(rabbit_url)
    unlucky.rabbit = rabbit
    assert over == alone
    assert run(unlucky) == alone
    assert sum(1 for name, _ in alone if name != "bar") > 200, "the comparison has something to compare"
