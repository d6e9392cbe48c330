"""Several clients and accounts on one RabbitMQ: each hears its own, and what is said while one is away waits for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mas import CallerError, OrderId, State
from mas.testing.workers import Workers, environment
from tests.clients import SIMULATED, Recorder, assert_every_order_has_one_truth
from tests.rabbit import Rabbit, wait_until

pytestmark = pytest.mark.filterwarnings("ignore::mas.NoWorkerWarning")  # no MT5 worker serves these accounts

SERVER = "Demo-Server"
EACH = 25


def login(client: Recorder, account: str) -> Recorder:
    client.login({"account": account, "password": "secret", "server": SERVER})
    return client


def executed(client: Recorder) -> set[str]:
    return {heard.order for heard in list(client.heard) if heard.kind == "execution"}


def names(orders: list[OrderId]) -> set[str]:
    return {order.client_order_id for order in orders}


def test_two_clients_on_one_account_number_hear_and_see_only_their_own_orders(
    rabbit_url: str, workers: Workers
) -> None:
    workers.start(rabbit_url, "shared")
    with Recorder(rabbit_url) as one, Recorder(rabbit_url) as two:
        login(one, "1001")
        login(two, "1001")
        futures = [(one.submit(one.market_order()), two.submit(two.market_order())) for _ in range(EACH)]
        mine = [first.result(10) for first, _ in futures]
        theirs = [second.result(10) for _, second in futures]
        for client, orders in ((one, mine), (two, theirs)):
            assert {order.state for order in orders} == {State.FILLED}
            assert_every_order_has_one_truth(client, orders)
            assert {heard.order for heard in client.heard} == names(orders)


def test_a_client_may_ask_to_hear_everything_of_an_account_and_hears_no_other_account(
    rabbit_url: str, workers: Workers
) -> None:
    workers.start(rabbit_url, "shared")
    with Recorder(rabbit_url, events="account") as listener, Recorder(rabbit_url) as other:
        own = login(listener, "1001").send_order(listener.market_order())
        login(other, "1002")
        strange = other.send_order(other.market_order())
        login(other, "1001")
        heard = other.send_order(other.market_order())
        assert all(order.ok for order in (own, strange, heard))
        listener.wait_heard(lambda: heard.client_order_id in executed(listener), "the other client's execution")
        other.wait_heard(lambda: heard.client_order_id in executed(other), "its own execution")
        (status, execution) = listener.of(heard.client_order_id)
        assert (status.kind, status.state, execution.kind) == ("status", "FILLED", "execution")
        assert status.data["account"] == "1001"
        assert executed(listener) == {own.client_order_id, heard.client_order_id}
        assert executed(other) == {strange.client_order_id, heard.client_order_id}
        # To hear is not to hold: what belongs to the other session is not in this client's account.
        assert [deal["order"] for deal in listener.deals()] == [own.ticket]


def test_one_client_trades_several_accounts_by_their_keys(rabbit_url: str, workers: Workers) -> None:
    workers.start(rabbit_url, "shared")
    keys = [
        {"account": "1001", "server": SERVER},
        {"account": "1002", "server": SERVER},
        {"account": "1001", "server": "X"},
    ]
    with Recorder(rabbit_url) as client:
        for count, key in enumerate(keys, 1):
            orders = [client.send_order(client.market_order(**key)) for _ in range(count)]
            assert all(order.ok for order in orders), orders
        for count, key in enumerate(keys, 1):
            assert len(client.deals(**key)) == count
            account = client.get_account_info({**key, **SIMULATED})
            assert (account["login"], account["server"]) == (int(key["account"]), key["server"])
        client.wait_heard(lambda: len(executed(client)) == 6, "six executions")
        told = [(heard.data["account"], heard.data["broker"]) for heard in client.heard if heard.kind == "execution"]
        assert told == [("1001", SERVER), *[("1002", SERVER)] * 2, *[("1001", "X")] * 3]


def test_a_cut_connection_costs_a_client_neither_its_account_nor_an_order(rabbit_url: str, workers: Workers) -> None:
    workers.start(rabbit_url, "kept")
    with Recorder(rabbit_url) as client:
        orders = [client.send_order(client.market_order())]
        (account,) = client._mas.hub.backtests.values()
        for _ in range(3):
            futures = [client.submit(client.market_order()) for _ in range(EACH)]
            account.line.transport.kick()  # type: ignore[attr-defined]
            orders += [future.result(10) for future in futures]
            assert account.line.transport.wait_connected(10)
        wait_until(lambda: all(order.final for order in orders), "every order to be resolved")
        orders.append(client.send_order(client.market_order()))
        assert orders[0].ok
        assert orders[-1].ok, orders[-1]
        assert list(client._mas.hub.backtests.values()) == [account]
        assert_every_order_has_one_truth(client, orders)


#: A strategy with stop orders close to the market on both sides. It ends without a word, some time.
STRATEGY = """
import sys
import mas

class Strategy(mas.Client):
    def receive_order_execution(self, order_id, execution_data):
        print("executed", execution_data["client_order_id"], flush=True)

client = Strategy(client_id="desk-7")
order = {"symbol": "EURUSD", "volume": 0.01, "backtest_toggle": True, "account": "1001", "server": "Demo-Server"}
assert client.send_order({**order, "order_type": "buy", "client_order_id": "market"}).ok
(position,) = client.get_positions({"backtest_toggle": True, "account": "1001", "server": "Demo-Server"})
for number in range(1, 41):
    for kind, up in (("buy_stop", 1), ("sell_stop", -1)):
        price = round(position["price_open"] + up * (number + 15) * 0.00001, 5)
        placed = client.send_order({**order, "order_type": kind, "price": price, "client_order_id": f"{kind}-{number}"})
        assert placed.ok, placed
print("ready", flush=True)
sys.stdin.read()
"""


class Desk:
    """The strategy's process, and the orders of which it printed an execution."""

    def __init__(self, url: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", STRATEGY],
            env=environment(MAS_URL=url),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )

    def wait_ready(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line == "ready\n":
                return
        raise AssertionError(f"the strategy ended with {self._process.wait(10)}")

    def kill(self) -> set[str]:
        """Kill it; the orders of which it heard that they were executed."""
        self._process.kill()
        printed, _ = self._process.communicate(timeout=10)
        return {line.split()[1] for line in printed.splitlines() if line.startswith("executed")}


@pytest.mark.slow
def test_a_killed_client_hears_after_its_restart_what_was_filled_meanwhile(
    rabbit: Rabbit, rabbit_url: str, workers: Workers
) -> None:
    workers.start(rabbit_url, "patient")
    with Recorder(rabbit_url, events="account") as listener:
        login(listener, "1001")
        assert listener.send_order(listener.market_order()).ok
        desk = Desk(rabbit_url)
        desk.wait_ready()
        heard_before = desk.kill()
        known = executed(listener) | heard_before
        listener.wait_heard(lambda: bool(executed(listener) - known), "a fill while the client is away", 40)
        missed = executed(listener) - known
        with restarted(rabbit_url) as client:
            client.wait_heard(lambda: missed <= executed(client), f"the executions of {missed}")
            for order in missed:
                assert [heard.kind for heard in client.of(order)][-2:] == ["status", "execution"]
                assert len(client.of(order, "execution")) == 1
                assert client.of(order, "execution")[0].data["account"] == "1001"


def restarted(url: str) -> Recorder:
    """A client with the id of the one that was killed, which RabbitMQ may take a moment to let go."""
    made: list[Recorder] = []

    def try_again() -> bool:
        client = Recorder(url, client_id="desk-7")
        try:
            made.append(login(client, "1001"))
        except CallerError as error:
            assert "desk-7" in str(error)
            client.close()
        return bool(made)

    wait_until(try_again, "the killed client's connection to be gone")
    return made[0]


def test_a_client_id_serves_one_client_at_a_time(rabbit_url: str) -> None:
    with Recorder(rabbit_url, client_id="desk-8") as first, Recorder(rabbit_url, client_id="desk-8") as second:
        login(first, "1001")
        with pytest.raises(CallerError, match="desk-8"):
            login(second, "1001")
