"""A callback that sends an order: each position gets a limit order that takes its profit.

Callbacks run on a thread of their own, never on the one that reads from the message broker, so they may send orders
and wait for them.
"""

import threading

import mas

ORDER = {"symbol": "EURUSD", "volume": 0.1, "backtest_toggle": True}


class TakeProfit(mas.Client):
    def __init__(self):
        super().__init__()
        self.placed = threading.Event()

    def receive_order_execution(self, order_id, execution_data):
        if execution_data["entry"] != "in" or execution_data["side"] != "buy":
            return
        target = round(execution_data["price"] + 0.0050, 5)
        limit = self.send_order({**ORDER, "order_type": "sell_limit", "price": target})
        print(f"bought at {execution_data['price']}, {limit} sells at {target}: {limit.state}")
        self.placed.set()


with TakeProfit() as client:
    client.send_order({**ORDER, "order_type": "buy"})
    client.placed.wait(5)
