"""RabbitMQ goes away under load and comes back: orders end in one truth each, and nothing is done twice."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager

import pytest

from mas import OrderId, State
from mas.testing.workers import Workers
from tests.clients import SIMULATED, Heard, Recorder, assert_every_order_has_one_truth, settled
from tests.rabbit import Rabbit, wait_until

OUTAGE_SECONDS = 20.0
CRASH_SECONDS = 8.0  # longer than a call waits for an order in flight, so that later ones are sent in the outage
ALARM_SECONDS = 4.0
VALID_FOR = 2.0  # less than the alarm lasts
IN_FLIGHT = 200
CALLERS = 4
RESTING, POINT = 40, 0.00001
PACE_SECONDS = 0.05
ORDER_SECONDS = 5.0  # an order's deadline, by default
CALL_SECONDS = 10.0  # 5 s to the deadline of an order, one more of grace, and a machine that is busy
RECOVERY_SECONDS = 45.0

Break = Callable[[Rabbit], None]


class Callers:
    """Threads that send an order after the other, whatever happens."""

    def __init__(self, client: Recorder, **fields: object) -> None:
        self._client, self._fields = client, fields
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._call, daemon=True) for _ in range(CALLERS)]
        self.orders: list[OrderId] = []
        self.sent: dict[str, float] = {}
        self.errors: list[Exception] = []
        self.slowest = 0.0

    def _call(self) -> None:
        while not self._stop.wait(PACE_SECONDS):
            started, sent = time.monotonic(), time.time()
            try:
                order = self._client.send_order(self._client.market_order(**self._fields))
                self.sent[order.client_order_id] = sent
                self.orders.append(order)
            except Exception as error:
                self.errors.append(error)
            self.slowest = max(self.slowest, time.monotonic() - started)

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(CALL_SECONDS)
        assert not any(thread.is_alive() for thread in self._threads), "a call hangs"

    def states(self) -> Counter[str]:
        return Counter(order.state.value for order in list(self.orders))

    @contextmanager
    def calling(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self.stop()


@pytest.fixture
def owned(rabbit: Rabbit) -> Iterator[Rabbit]:
    """A broker that the test may stop; it runs again afterwards, and without an alarm."""
    if not rabbit.can_control:
        pytest.skip("the broker of MAS_TEST_URL is not ours to control")
    yield rabbit


def rest(client: Recorder, bought: list[Heard]) -> list[OrderId]:
    """Stop orders close to the market on both sides. Those that it reaches during the outage are told after it."""
    price = float(bought[0].data["price"])
    levels = [("buy_stop", n) for n in range(2, RESTING)] + [("sell_stop", -n) for n in range(12, RESTING)]
    placed = [
        client.send_order(client.market_order(order_type=kind, price=round(price + points * POINT, 5)))
        for kind, points in levels
    ]
    return [order for order in placed if order.ok]  # the market may have passed the nearest ones meanwhile


def cancel(client: Recorder, orders: list[OrderId]) -> None:
    """Cancel what is not filled: from here on nothing changes by itself."""
    for order in (order for order in orders if not order.final):
        assert client.cancel_order({"order_id": order, **SIMULATED}) or order.state is State.FILLED


@contextmanager
def alarm(rabbit: Rabbit) -> Iterator[None]:
    """RabbitMQ is out of memory meanwhile, and takes nothing."""
    rabbit.set_alarm(True)
    try:
        yield
    finally:
        rabbit.set_alarm(False)


def assert_none_was_late(client: Recorder, sent: dict[str, float], valid_for: float) -> None:
    for heard in list(client.heard):
        if heard.kind == "execution" and heard.order in sent:
            took = heard.data["time"].timestamp() - sent[heard.order]
            assert took <= valid_for, f"{heard.order} was executed {took:.1f} s after it was sent"


def assert_empty(rabbit: Rabbit, url: str) -> None:
    wait_until(lambda: not any(rabbit.queues(url).values()), "every queue to be empty")


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("broken", "seconds"), [(Rabbit.stop, OUTAGE_SECONDS), (Rabbit.kill, CRASH_SECONDS)], ids=["stopped", "killed"]
)
def test_orders_survive_an_outage_of_the_broker_and_none_is_done_twice(
    owned: Rabbit, rabbit_url: str, workers: Workers, broken: Break, seconds: float
) -> None:
    (worker,) = workers.start(rabbit_url, "outage")
    with Recorder(rabbit_url) as client:
        first = client.send_order(client.market_order())
        assert first.ok, first
        client.wait_heard(lambda: bool(client.of(first.client_order_id, "execution")), "an execution")
        resting = rest(client, client.of(first.client_order_id, "execution"))
        callers = Callers(client)
        with callers.calling():
            wait_until(lambda: callers.states()["FILLED"] > 20, "orders to flow")
            # Nothing is answered while the worker stands still, so these are in flight when the broker goes.
            worker.send_signal(signal.SIGSTOP)
            left = time.time()
            flying: list[Future[OrderId]] = [client.submit(client.market_order()) for _ in range(IN_FLIGHT)]
            broken(owned)
            worker.send_signal(signal.SIGCONT)
            time.sleep(seconds)  # the subject of the test
            denied, filled = callers.states()["DENIED"], callers.states()["FILLED"]
            owned.start()
            wait_until(lambda: callers.states()["FILLED"] > filled + 20, "orders to flow again", RECOVERY_SECONDS)
        flown = [future.result(CALL_SECONDS) for future in flying]
        cancel(client, resting)
        orders = [first, *resting, *flown, *callers.orders]
        wait_until(lambda: settled(orders), "every order to be resolved", RECOVERY_SECONDS)

        assert callers.errors == []
        assert callers.slowest < CALL_SECONDS
        assert denied > 0, "callers were told during the outage that nothing is sent"
        assert {order.state for order in [first, *flown, *callers.orders]} <= {State.FILLED, State.DENIED, State.STALE}
        assert_every_order_has_one_truth(client, orders)
        sent = callers.sent | {order.client_order_id: left for order in flown}
        assert_none_was_late(client, sent, ORDER_SECONDS)
        assert_empty(owned, rabbit_url)


@pytest.mark.slow
def test_an_alarm_of_the_broker_refuses_orders_and_none_is_executed_after_it(
    owned: Rabbit, rabbit_url: str, workers: Workers
) -> None:
    workers.start(rabbit_url, "alarmed")
    with Recorder(rabbit_url) as client:
        callers = Callers(client, valid_for=VALID_FOR)
        with callers.calling():
            wait_until(lambda: callers.states()["FILLED"] > 20, "orders to flow")
            with alarm(owned):
                time.sleep(ALARM_SECONDS)  # the subject of the test
                callers.stop()
        orders = callers.orders
        wait_until(lambda: settled(orders), "every order to be resolved", RECOVERY_SECONDS)

        assert callers.errors == []
        # Those that were on the wire when the alarm came are stale by the time it ends; the rest never left.
        assert {order.state for order in orders} <= {State.FILLED, State.DENIED, State.STALE}
        denied = [order for order in orders if order.state is State.DENIED]
        assert len(denied) > 20
        assert all("accepts nothing at the moment (memory or disk alarm)" in order for order in denied)
        assert_none_was_late(client, callers.sent, VALID_FOR)

        orders.append(client.send_order(client.market_order()))
        assert orders[-1].ok, orders[-1]
        assert_every_order_has_one_truth(client, orders)
        assert_empty(owned, rabbit_url)
