"""The product's paths: `mas.Client` over RabbitMQ to a simulator worker process, and embedded in this process.

The only file of the benchmarks that knows the product.
"""

from __future__ import annotations

import load

import mas

ORDER: dict[str, object] = {
    "symbol": "EURUSD",
    "order_type": "buy",
    "volume": 0.01,
    "backtest_toggle": True,
}


class _Strategy(mas.Client):
    """A strategy as users write it: both callbacks are there, and count."""

    statuses = 0
    executions = 0

    def receive_order_status(self, order_id: str, status_data: dict[str, object]) -> None:
        self.statuses += 1

    def receive_order_execution(self, order_id: str, execution_data: dict[str, object]) -> None:
        self.executions += 1


def _proven(answer: mas.OrderId) -> None:
    if not answer.ok:
        raise RuntimeError(f"an order was refused: {answer}")


class Client:
    """One account, market orders, alternately opening and closing so that the account never fills up."""

    def __init__(self, url: str, run: str) -> None:
        self._strategy = _Strategy(url=url)
        if not self._strategy.login({"account": "1001", "password": "-", "server": "Bench"}):
            raise TimeoutError("no simulator worker serves this broker")
        _proven(self._strategy.send_order(ORDER))

    def sequential(self, seconds: float) -> list[float]:
        return load.sequential(lambda: _proven(self._strategy.send_order(ORDER)), seconds)

    def pipelined(self, seconds: float, window: int) -> float:
        return load.pipelined(
            lambda: self._strategy.submit(ORDER),
            lambda future: _proven(future.result(load.DEADLINE)),
            seconds,
            window,
        )

    def close(self) -> None:
        self._strategy.close()


class Embedded(Client):
    """The same without a broker: the simulator runs in this process."""

    def __init__(self, url: str, run: str) -> None:
        super().__init__("", run)
