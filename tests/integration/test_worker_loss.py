"""Workers crash, leave, or stand still; their clients are told the truth, and nobody else notices."""

from __future__ import annotations

import signal
import threading
import time
from concurrent.futures import Future
from itertools import pairwise

import pytest

from mas import OrderId, State
from mas.testing.workers import Workers
from tests.clients import Recorder, assert_every_order_has_one_truth, settled
from tests.rabbit import Rabbit, wait_until

pytestmark = pytest.mark.filterwarnings("ignore::mas.NoWorkerWarning")  # no MT5 worker serves these accounts

IN_FLIGHT = 50
QUEUED = 1200  # more than a worker takes at once
TOLD_SECONDS = 6.0
GAP_SECONDS = 1.0
BYSTANDER_SECONDS = 0.02


class Bystander:
    """A client of another worker, that sends one order after the other."""

    def __init__(self, url: str) -> None:
        self.client = Recorder(url)
        self.orders: list[OrderId] = []
        self.ended: list[float] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._call, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _call(self) -> None:
        while not self._stop.wait(BYSTANDER_SECONDS):
            self.orders.append(self.client.send_order(self.client.market_order()))
            self.ended.append(time.monotonic())

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(10)
        assert not self._thread.is_alive()

    def assert_noticed_nothing(self) -> None:
        assert len(self.orders) > 20
        assert {order.state for order in self.orders} == {State.FILLED}
        longest = max(later - earlier for earlier, later in pairwise(self.ended))
        assert longest < GAP_SECONDS, f"an order took {longest:.1f} s"


def login(client: Recorder, account: str) -> None:
    client.login({"account": account, "password": "secret", "server": "Test"})


def worker_of(client: Recorder) -> str:
    """The name of the worker that holds the client's only simulated account."""
    (account,) = client._mas.hub.backtests.values()
    return account.worker


def queued(client: Recorder) -> int:
    """The orders that RabbitMQ has confirmed and nobody has answered."""
    (account,) = client._mas.hub.backtests.values()
    return sum(entry.known.state is State.QUEUED for entry in list(account.book.in_flight.values()))


def test_a_killed_worker_fails_its_own_client_only_and_the_next_login_finds_another(
    rabbit_url: str, workers: Workers
) -> None:
    started = {worker.name: worker for worker in workers.start(rabbit_url, "w1", "w2", "w3", slots=1)}
    with Recorder(rabbit_url) as client:
        login(client, "1001")
        bystanders = [Bystander(rabbit_url), Bystander(rabbit_url)]
        assert client.send_order(client.market_order()).ok
        for other in bystanders:
            assert other.client.send_order(other.client.market_order()).ok
        held = started[worker_of(client)]
        assert {worker_of(c) for c in (client, *(b.client for b in bystanders))} == {"w1", "w2", "w3"}
        for other in bystanders:
            other.start()

        held.send_signal(signal.SIGSTOP)  # so that the orders are in flight when it dies
        flying: list[Future[OrderId]] = [client.submit(client.market_order()) for _ in range(IN_FLIGHT)]
        wait_until(lambda: queued(client) == IN_FLIGHT, "the orders to lie in the worker's queue")
        died = time.monotonic()
        held.kill()
        in_doubt = [future.result(TOLD_SECONDS) for future in flying]
        assert time.monotonic() - died < TOLD_SECONDS
        for order in in_doubt:
            assert order.state is State.UNKNOWN
            assert held.name in order
            assert "login()" in order
        next_order = client.send_order(client.market_order())
        assert next_order.state is State.DENIED
        assert held.name in next_order
        assert "login()" in next_order

        workers.start(rabbit_url, "w4", slots=1)
        login(client, "1001")
        assert client.send_order(client.market_order()).ok
        assert worker_of(client) == "w4"
        for other in bystanders:
            other.stop()
            other.assert_noticed_nothing()
            other.client.close()


def test_a_client_that_logs_in_again_right_after_its_worker_died_gets_a_new_account(
    rabbit_url: str, workers: Workers
) -> None:
    workers.start(rabbit_url, "w1", "w2", slots=1)
    with Recorder(rabbit_url) as client:
        login(client, "1001")
        assert client.send_order(client.market_order()).ok
        held, free = ("w1", "w2") if worker_of(client) == "w1" else ("w2", "w1")
        next(worker for worker in workers.started if worker.name == held).kill()
        refused = client.send_order(client.market_order())
        # Sent before the broker saw the end of the worker, it was queued, and nobody can tell what became of it.
        assert refused.state in (State.DENIED, State.UNKNOWN)
        assert held in refused
        login(client, "1001")
        order = client.send_order(client.market_order())
        assert order.ok, order
        assert worker_of(client) == free


def test_a_worker_that_is_told_to_end_answers_what_it_took_and_tells_its_client(
    rabbit: Rabbit, rabbit_url: str, workers: Workers
) -> None:
    (worker,) = workers.start(rabbit_url, "leaving")
    with Recorder(rabbit_url) as client:
        login(client, "1001")
        assert client.send_order(client.market_order()).ok
        # It has taken none of these yet when it is told to end.
        worker.send_signal(signal.SIGSTOP)
        flying = [client.submit(client.market_order(valid_for=30)) for _ in range(QUEUED)]
        wait_until(lambda: queued(client) == QUEUED, "the orders to be queued")
        worker.send_signal(signal.SIGTERM)
        worker.send_signal(signal.SIGCONT)
        assert worker.wait() == 0, worker.log
        answered = [future.result(10) for future in flying]
        assert {order.state for order in answered} <= {State.FILLED, State.REJECTED}, "REJECTED is: no money left"
        filled = 1 + sum(order.state is State.FILLED for order in answered)
        client.wait_heard(lambda: len(client.heard) == 1 + QUEUED + filled, "a status and an execution of each order")
        assert "before everything was confirmed" not in worker.log
        told = client.send_order(client.market_order())
        assert told.state is State.DENIED
        assert "its worker is shutting down" in told
        assert "login()" in told
        if rabbit.can_control:
            wait_until(lambda: not any(rabbit.queues(rabbit_url).values()), "every queue to be empty")


@pytest.mark.slow
def test_orders_of_a_worker_that_stands_still_end_in_doubt_and_are_resolved_when_it_goes_on(
    rabbit_url: str, workers: Workers
) -> None:
    (worker,) = workers.start(rabbit_url, "frozen")
    with Recorder(rabbit_url) as client:
        orders = [client.send_order(client.market_order())]
        assert orders[0].ok, orders
        worker.send_signal(signal.SIGSTOP)
        sent = time.time()
        flying = [client.submit(client.market_order(valid_for=1)) for _ in range(IN_FLIGHT)]
        in_doubt = [future.result(TOLD_SECONDS) for future in flying]
        assert time.time() - sent < 3.0
        assert {order.state for order in in_doubt} == {State.UNKNOWN}
        assert all("in doubt" in order for order in in_doubt)

        worker.send_signal(signal.SIGCONT)
        wait_until(lambda: settled(in_doubt), "every order to be resolved")
        assert {order.state for order in in_doubt} == {State.STALE}
        orders += [*in_doubt, client.send_order(client.market_order())]
        assert orders[-1].ok, orders[-1]
        assert_every_order_has_one_truth(client, orders)
