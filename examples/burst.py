"""Many orders at once: all are on their way before the first answer is awaited."""

from collections import Counter

import mas

with mas.Client() as client:
    sides = ("buy", "sell")
    burst = [
        {"symbol": "EURUSD", "order_type": sides[n % 2], "volume": 0.01, "backtest_toggle": True} for n in range(200)
    ]
    answers = client.send_orders(burst)

    # The same for one order: a future, and the answer when it is needed.
    future = client.submit({**burst[0], "client_order_id": "last-one"})
    answers.append(future.result(10))

print(Counter(str(answer.state) for answer in answers), answers[-1].client_order_id)
