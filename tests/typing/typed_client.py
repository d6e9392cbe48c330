"""A strategy in the typed spelling: a type checker knows every method it inherits."""

from datetime import datetime
from typing import Any

import mas


class Trend(mas.Client):
    def __init__(self) -> None:
        super().__init__()
        self.filled: float = 0.0

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
        return order if order.ok and not canceled else order.state
