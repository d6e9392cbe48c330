"""Five years of daily bars: hold while the close is above its average of 20 days, and report at the end.

The prices are made up. For your own, import them (`mas data import`) and leave out the line "source".
"""

import mas

DAYS = 20


class MAS_Client(mas):
    def __init__(self):
        super().__init__()
        self.hold = False
        self.order_id = None
        self.closes = []

    def receive_bars(self, symbol, data, is_end=False):
        self.closes.append(data["close"])
        days = self.closes[-DAYS:]
        above = len(days) == DAYS and data["close"] > sum(days) / DAYS
        if not self.hold and above and not is_end:
            order = {"symbol": symbol, "order_type": "buy", "volume": 0.1, "backtest_toggle": True}
            self.order_id = self.send_order(order)
            self.hold = True
        elif self.hold and (not above or is_end):
            order = {"symbol": symbol, "order_type": "sell", "volume": 0.1, "backtest_toggle": True}
            self.send_order({**order, "order_id": self.order_id})
            self.hold = False
        if is_end:
            report = self.generate_data_report()
            print(report["data"]["general_data"])
            print(report["data"]["performance_metrics"])
            print("report", self.generate_kpi_report()["status"])
            print("chart", self.generate_trade_chart()["status"])


def main():
    client = MAS_Client()
    client.login({"account": "YOUR_ACCOUNT", "password": "YOUR_PASSWORD", "server": "YOUR_SERVER"})
    client.subscribe_bars(
        {
            "symbol": "EURUSD",
            "timeframe": "D1",
            "from": "2019-01-01",
            "to": "2024-01-01",
            "source": "synthetic",
            "capital": 10_000,
            "backtest_toggle": True,
        }
    )


if __name__ == "__main__":
    main()
