"""A backtest over a week of made-up bars: buy when the last three bars rose, sell again when one falls.

The run is the same every time: callbacks come on this thread, in simulated time.
"""

import mas

ORDER = {"symbol": "EURUSD", "volume": 0.1, "backtest_toggle": True}


class ThreeUp(mas.Client):
    def __init__(self):
        super().__init__()
        self.rising = 0
        self.position = None
        self.profits = []

    def receive_bars(self, symbol, data, is_end=False):
        self.rising = self.rising + 1 if data["close"] > data["open"] else 0
        if self.position is not None and (is_end or not self.rising):
            self.send_order({**ORDER, "order_type": "sell", "position": self.position})
            self.position = None
        elif self.rising == 3 and not is_end:
            self.position = self.send_order({**ORDER, "order_type": "buy"})

    def receive_order_execution(self, order_id, execution_data):
        if execution_data["entry"] == "out":
            self.profits.append(execution_data["profit"])


with ThreeUp() as strategy:
    strategy.subscribe_bars(
        {
            "symbol": "EURUSD",
            "timeframe": "M15",
            "from": "2025-03-03",
            "to": "2025-03-08",
            "capital": 10_000,
            "source": "synthetic",
            "seed": 7,
            "backtest_toggle": True,
        }
    )
    account = strategy.get_account_info({"backtest_toggle": True})

print(f"{len(strategy.profits)} trades, profit {sum(strategy.profits):.2f}, balance {account['balance']:.2f}")
