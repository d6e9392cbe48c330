"""A strategy in the typed spelling: a type checker knows every method it inherits."""

from datetime import datetime
from typing import Any

import mas


class Trend(mas.Client):
    def __init__(self) -> None:
        super().__init__()
        self.filled: float = 0.0
        self.bars: object = None

    def receive_order_status(self, order_id: str, status_data: dict[str, Any]) -> None:
        self.last_state: str = status_data["message"]

    def receive_order_execution(self, order_id: str, execution_data: dict[str, Any]) -> None:
        self.filled += execution_data["volume"]
        self.at: datetime = execution_data["time"]


def run() -> str:
    with Trend() as strategy:
        logged_in: bool = strategy.login({"account": "1001", "password": "demo", "server": "Demo"})
        order = strategy.send_order(
            {"symbol": "EURUSD", "order_type": "buy", "volume": 0.1, "backtest_toggle": logged_in}
        )
        canceled: bool = strategy.cancel_order({"order_id": order})
        since: str = strategy.get_start_date("2024-03-15", "D1", 20)
        strategy.subscribe_bars({"symbol": "EURUSD", "timeframe": "D1", "from": since, "backtest_toggle": True})
        strategy.set_lang("zh-tw")
        connected: bool = strategy.initialize_mt5() and strategy.reconnect_mt5()
        levels: list[dict[str, Any]] = strategy.get_market_book({"symbol": "EURUSD"}) if connected else []
        strategy.bars = strategy.get_bars_from_pos({"symbol": "EURUSD", "timeframe": "D1", "count": len(levels) + 1})
        return order if order.ok and not canceled else order.state
