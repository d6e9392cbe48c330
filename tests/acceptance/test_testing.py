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
