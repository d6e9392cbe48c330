"""Move a resting order, cancel it, and give a position a stop loss and a take profit."""

import mas

ORDER = {"symbol": "EURUSD", "volume": 0.1, "backtest_toggle": True}


class Strategy(mas.Client):
    def receive_order_status(self, order_id, status_data):
        print(order_id, status_data["state"], status_data.get("action", "send"), status_data["message"])


with Strategy() as client:
    bid = client.get_symbols({"symbol": "EURUSD", "backtest_toggle": True})[0]["bid"]

    resting = client.send_order({**ORDER, "order_type": "buy_limit", "price": round(bid - 0.005, 5)})
    moved = client.modify_order({"order_id": resting, "price": round(bid - 0.006, 5)})
    cancelled = client.cancel_order({"order_id": resting})
    again = client.cancel_order({"order_id": resting})  # it is not there any more: refused, so False

    bought = client.send_order({**ORDER, "order_type": "buy"})
    levels = {"position_id": bought, "sl": round(bid - 0.004, 5), "tp": round(bid + 0.008, 5)}
    protected = client.modify_position_sltp(levels)

print(f"moved {moved}, cancelled {cancelled}, cancelled again {again}, protected {protected}")
