"""The fixtures of `mas.testing`, as a user's own test suite has them: a pytest of its own, in an empty directory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mas.testing.workers import environment

CONFTEST = 'pytest_plugins = ["mas.testing"]\n'
FLEET = """
import mas

class Buyer(mas.Client):
    def __init__(self, *args, **settings):
        super().__init__(*args, **settings)
        self.deals = []

    def receive_order_execution(self, order_id, execution_data):
        self.deals.append((order_id, execution_data["volume"]))

def test_two_accounts_trade_beside_each_other(mas_workers, mas_account):
    mas_workers(2)
    one, two = mas_account(Buyer, account=1001), mas_account(Buyer, account=1002)
    orders = [c.send_order({"symbol": "EURUSD", "order_type": "buy", "volume": v, "backtest_toggle": True})
              for c, v in ((one, 0.1), (two, 0.2))]
    one.close(), two.close()
    assert one.deals == [(orders[0], 0.1)] and two.deals == [(orders[1], 0.2)]

def test_every_test_starts_afresh(mas_account):
    assert mas_account().get_positions({"backtest_toggle": True}) == []
"""
SURVIVAL = """
import pytest

def test_an_account_outlives_a_restart_of_the_router(mas_rabbit, mas_account):
    if not mas_rabbit.can_control:
        pytest.skip("not ours")
    client = mas_account()
    order = {"symbol": "EURUSD", "order_type": "buy", "volume": 0.1, "backtest_toggle": True}
    assert client.send_order(order).ok
    mas_rabbit.close_connections(mas_rabbit.url)
    assert client.check_connection() in (True, False)

def test_a_worker_that_dies_takes_its_accounts_along(mas_workers, mas_account):
    (worker,) = mas_workers()
    client = mas_account()
    order = {"symbol": "EURUSD", "order_type": "buy", "volume": 0.1, "backtest_toggle": True, "valid_for": 1}
    assert client.send_order(order).ok
    worker.kill()
    lost = client.send_order(order)
    assert not lost.ok and lost.state in ("DENIED", "UNKNOWN", "STALE"), repr(lost)
"""
TERMINALS = """
import subprocess
import sys

import pytest
from sim_worker import terminal as mt5
from sim_worker.quotes import Quotes
from sim_worker.trade_server import Fault
import numpy as np

BUY = {"action": 1, "symbol": "EURUSD", "type": 0, "volume": 0.1}
CHILD = '''
import sys
from sim_worker import terminal as mt5
assert mt5.initialize(sys.argv[1], login=5002, password="simulated"), mt5.last_error()
mt5.order_send({"action": 1, "symbol": "EURUSD", "type": 0, "volume": 0.2})
'''

def test_a_broker_with_accounts_prices_and_a_fault(mas_terminal):
    lost = Fault(kind="no_answer", when="after")
    broker = mas_terminal(accounts=[5001], quotes={"EURUSD": (1.1, 1.1001)}, faults=[lost])
    assert mt5.initialize(login=5001, password="simulated")
    assert mt5.order_send(BUY) is None and len(broker.records(5001, "positions")) == 1
    broker.arm(Fault(kind="hang", on="positions_total"))  # nobody waits in it: the fixture lets it go

def test_nothing_is_left_of_the_test_before(mas_terminal):
    assert mt5.account_info() is None and mt5.last_error()[0] == -10004
    mas_terminal("netting-exchange", accounts=[5003])
    assert mt5.initialize() and mt5.account_info().login == 5003
    assert mt5.account_info().margin_mode == mt5.ACCOUNT_MARGIN_MODE_RETAIL_NETTING
    assert mt5.symbol_info_tick("EURUSD").bid > 0.0  # made up

def test_a_process_dies_at_a_call_and_its_order_stays(mas_terminal):
    broker = mas_terminal(accounts=[5002], quotes={"EURUSD": (1.1, 1.1001)})
    broker.arm(Fault(kind="exit", code=9, when="after"))
    assert subprocess.run([sys.executable, "-c", CHILD, broker.path]).returncode == 9
    assert [row["volume"] for row in broker.records(5002, "positions")] == [0.2]
    assert mt5.initialize(login=5002, password="simulated") and mt5.positions_total() == 1

def test_quotes_of_the_past_are_replayed(mas_terminal):
    seconds = (1_704_708_000 + np.arange(3)) * 1_000_000_000
    past = Quotes(time=seconds, bid=np.array([1.1, 1.2, 1.3]), ask=np.array([1.11, 1.21, 1.31]))
    broker = mas_terminal(quotes={"EURUSD": past})
    assert mt5.initialize() and mt5.symbol_info_tick("EURUSD").bid == 1.1
    broker.advance(1)
    assert mt5.symbol_info_tick("EURUSD").bid == 1.2
    with pytest.raises(Exception, match="quotes="):
        mas_terminal(quotes={"EURUSD": past, "USDJPY": (150.0, 150.01)})
"""
BROKEN_MARKET = """
def test_a_worker_that_cannot_start_says_why(mas_workers, tmp_path):
    (tmp_path / "bad.toml").write_text("[symbols.X]\\ndigits = 99")
    mas_workers(market=tmp_path / "bad.toml")
"""


def pytest_in(directory: Path, test: str, **variables: str) -> subprocess.CompletedProcess[str]:
    (directory / "conftest.py").write_text(CONFTEST)
    (directory / "test_fleet.py").write_text(test)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "."],
        cwd=directory,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_fleet_is_tested_in_fifteen_lines_without_a_broker(tmp_path: Path) -> None:
    done = pytest_in(tmp_path, FLEET, MAS_TEST_BROKER="embedded")
    assert "2 passed" in done.stdout, done.stdout


def test_a_terminal_is_given_in_the_process_and_to_child_processes(tmp_path: Path) -> None:
    done = pytest_in(tmp_path, TERMINALS)
    assert "4 passed" in done.stdout, done.stdout


def test_a_fleet_is_tested_over_a_broker(tmp_path: Path, rabbit_url: str) -> None:
    done = pytest_in(tmp_path, FLEET, MAS_TEST_URL=rabbit_url)
    assert "2 passed" in done.stdout, done.stdout


@pytest.mark.slow
def test_a_fleet_is_hurt_on_purpose_on_a_broker_that_the_fixtures_start(tmp_path: Path, rabbit: object) -> None:
    """`rabbit` is not used: it says that this machine can have a broker."""
    kinds = {name: value for name, value in os.environ.items() if name == "MAS_TEST_BROKER"}
    done = pytest_in(tmp_path, SURVIVAL, **kinds)
    assert "2 passed" in done.stdout, done.stdout


def test_a_worker_that_cannot_start_is_told_with_its_log(tmp_path: Path, rabbit_url: str) -> None:
    done = pytest_in(tmp_path, BROKEN_MARKET, MAS_TEST_URL=rabbit_url)
    assert "symbols.X.digits=99 is not allowed: 0 to 8" in done.stdout
