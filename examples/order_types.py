"""Each of the eight order types once, at prices around the simulated market's."""

import mas

PIP = 0.0001
ORDER = {"symbol": "EURUSD", "volume": 0.1, "backtest_toggle": True}

with mas.Client() as client:
    quote = client.get_symbols({"symbol": "EURUSD", "backtest_toggle": True})[0]
    below, above = round(quote["bid"] - 50 * PIP, 5), round(quote["ask"] + 50 * PIP, 5)
    lower, higher = round(below - 20 * PIP, 5), round(above + 20 * PIP, 5)
    orders = [
        {"order_type": "buy", "sl": below, "tp": above},
        {"order_type": "sell"},
        {"order_type": "buy_limit", "price": below, "sl": lower, "tp": above},
        {"order_type": "sell_limit", "price": above},
        {"order_type": "buy_stop", "price": above},
        {"order_type": "sell_stop", "price": below},
        {"order_type": "buy_stop_limit", "price": higher, "stoplimit": above},
        {"order_type": "sell_stop_limit", "price": lower, "stoplimit": below},
    ]
    for order in orders:
        order_id = client.send_order({**ORDER, **order})
        print(f"{order['order_type']:<16} {order_id} {order_id.state}")
