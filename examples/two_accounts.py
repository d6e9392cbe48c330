"""Two accounts in one program: that of the last login is the default, `account` and `server` name another one."""

import warnings

import mas

warnings.simplefilter("ignore", mas.NoWorkerWarning)  # no live account is wanted here

ORDER = {"symbol": "EURUSD", "volume": 0.1, "backtest_toggle": True}


class Strategy(mas.Client):
    def receive_order_execution(self, order_id, execution_data):
        print(f"account {execution_data['account']}: {execution_data['side']} at {execution_data['price']}")


summary = []
with Strategy() as client:
    client.login({"account": 1001, "password": "any", "server": "Demo"})
    client.login({"account": 1002, "password": "any", "server": "Demo"})
    first = {"account": 1001, "server": "Demo"}

    client.send_order({**ORDER, "order_type": "buy", **first})
    client.send_order({**ORDER, "order_type": "sell"})  # 1002

    for account in (first, {}):
        info = client.get_account_info({**account, "backtest_toggle": True})
        positions = client.get_positions({**account, "backtest_toggle": True})
        summary.append(f"{info['login']}: {len(positions)} position, equity {info['equity']:.2f} {info['currency']}")

print("\n".join(summary))
