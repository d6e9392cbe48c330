"""A broker's own symbols and accounts, from a market file: without a broker, through a worker, and in the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import mas
from mas.testing.workers import worker_processes
from tests.acceptance.mas_command import run

MARKET = """
[symbols."EURUSD.m"]
like = "EURUSD"
filling_mode = ["ioc"]
volume_min = 0.5

[symbols.BRENT]
like = "XAUUSD"
description = "Brent crude oil"
contract_size = 1_000
reference_price = 80

[accounts.default]
leverage = 30

[accounts.1001]
like = "default"
margin_mode = "netting"
deposit = 50_000
"""
pytestmark = pytest.mark.filterwarnings("ignore::mas.NoWorkerWarning")  # no MT5 worker serves these accounts


@pytest.fixture
def market(tmp_path: Path) -> Path:
    path = tmp_path / "market.toml"
    path.write_text(MARKET)
    return path


def trade(client: mas.Client) -> None:
    """What must be as the file says."""
    client.login({"account": 1001, "password": "secret", "server": "Demo"})
    order: dict[str, Any] = {"symbol": "EURUSD.m", "order_type": "buy", "volume": 0.1, "backtest_toggle": True}
    small = client.send_order(order)
    assert small.retcode == 10014
    assert "0.5 to 100" in small
    filled = client.send_order(order | {"volume": 0.5})
    assert filled.ok
    assert "IOC" in filled.message
    added = client.send_order({**order, "symbol": "BRENT", "volume": 1})
    assert added.ok
    assert client.send_order({**order, "symbol": "BRENT", "volume": 1}).ok
    positions = client.get_positions({"backtest_toggle": True})
    assert [(row["symbol"], row["volume"]) for row in positions] == [("EURUSD.m", 0.5), ("BRENT", 2.0)]
    info = client.get_account_info({"backtest_toggle": True})
    assert (info["leverage"], info["balance"], info["margin_mode"]) == (30, 50_000.0, 0)
    names = {row["name"] for row in client.get_symbols({"backtest_toggle": True})}
    assert {"EURUSD.m", "BRENT", "EURUSD"} <= names
    client.login({"account": 2, "password": "secret", "server": "Demo"})
    assert client.get_account_info({"backtest_toggle": True})["balance"] == 10_000.0


def test_an_embedded_simulator_trades_what_the_file_describes(market: Path) -> None:
    with mas.Client("", market=market) as client:
        trade(client)


def test_a_worker_trades_what_its_file_describes(market: Path, rabbit_url: str, tmp_path: Path) -> None:
    with worker_processes(tmp_path) as workers:
        workers.start(rabbit_url, "one", market=market)
        with mas.Client(rabbit_url) as client:
            trade(client)


def test_a_wrong_file_is_refused_with_its_field_before_anything_is_traded(market: Path) -> None:
    market.write_text('[symbols.X]\nexecution = "fast"')
    with mas.Client("", market=market) as client:
        refused = client.send_order({"symbol": "X", "order_type": "buy", "volume": 1, "backtest_toggle": True})
    assert not refused.ok
    assert "symbols.X.execution='fast' is not allowed: one of request, instant, market, exchange" in refused


def test_the_command_shows_symbols_and_checks_files(market: Path) -> None:
    assert "E-mini" in run("symbols", "show").stdout
    shown = json.loads(run("symbols", "show", "BRENT", "--market", str(market), "--json").stdout)
    assert (shown["BRENT"]["contract_size"], shown["BRENT"]["calc_mode"]) == (1000.0, "cfdleverage")
    assert "35 symbols" in run("symbols", "check", str(market)).stdout
    market.write_text("[symbols.X]\nvolume_min = 5\nvolume_max = 1")
    wrong = run("symbols", "check", str(market))
    assert wrong.returncode == 2
    assert "symbols.X.volume_min=5.0 is not allowed" in wrong.stderr
    assert "NOSUCH" in run("symbols", "show", "NOSUCH").stderr
