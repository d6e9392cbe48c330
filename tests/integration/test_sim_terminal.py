"""`mas sim-terminal` and programs of their own process that trade at it: they may crash, the account stays."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from sim_worker import terminal as mt5
from sim_worker.catalog import Catalog
from sim_worker.quotes import Quotes
from sim_worker.trade_server import Fault, RemoteServer

PROGRAM = """
import sys
from sim_worker import terminal as mt5
assert mt5.initialize(sys.argv[1], login=7001, password="pw"), mt5.last_error()
result = mt5.order_send({"action": 1, "symbol": "EURUSD", "type": 0, "volume": 0.1, "comment": sys.argv[2]})
print(result.retcode if result else mt5.last_error(), flush=True)
"""
MAS = (sys.executable, "-m", "mas_router.cli")


@pytest.fixture
def path(tmp_path: Path) -> Iterator[str]:
    """A scripted trade server as a process, with the account 7001; its address."""
    accounts = tmp_path / "accounts.toml"
    accounts.write_text('[[accounts]]\nlogin = 7001\npassword = "pw"\ndeposit = 5000.0\n')
    command = [*MAS, "sim-terminal", "--port", "0", "--scripted", "--accounts", str(accounts)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address, broker = process.stdout.readline().split()
        assert broker == "demo-hedging-market"
        yield address
        process.send_signal(signal.SIGTERM)
        assert process.wait(20.0) == 0


@pytest.fixture
def control(path: str) -> Iterator[RemoteServer]:
    host, port = path.removeprefix("sim://").split(":")
    with RemoteServer(host, int(port)) as control:
        control.quote("EURUSD", 1.1, 1.1001)
        yield control


def trade(path: str, comment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM, path, comment]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


def test_a_program_that_dies_in_a_call_leaves_its_order_on_the_account(path: str, control: RemoteServer):
    assert trade(path, "first").stdout == "10009\n"
    control.arm(Fault(kind="exit", code=77, comment="second", when="after"))
    control.arm(Fault(kind="exit", code=78, comment="third", when="before"))
    assert (trade(path, "second").returncode, trade(path, "third").returncode) == (77, 78)
    assert mt5.initialize(path), "another program finds the terminal as it was left"
    positions = mt5.positions_get()
    info = mt5.account_info()
    mt5.shutdown()
    assert positions is not None and [p.comment for p in positions] == ["first", "second"]
    assert info is not None and (info.login, info.balance) == (7001, 5000.0)


def test_a_program_that_is_killed_while_it_waits_holds_up_nobody(path: str, control: RemoteServer):
    control.arm(Fault(kind="hang", on="order_send", when="after"))
    command = [sys.executable, "-c", PROGRAM, path, "hanging"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        while control.hanging() == 0:
            assert process.poll() is None
        process.kill()
    assert trade(path, "after").stdout == "10009\n"
    assert [row["comment"] for row in control.records(7001, "positions")] == ["hanging", "after"]
    control.release()


def test_an_order_of_a_killed_program_may_land_after_its_successor_has_looked(path: str, control: RemoteServer):
    control.arm(Fault(kind="hang", on="order_send", when="before"))
    with subprocess.Popen([sys.executable, "-c", PROGRAM, path, "late"], stdout=subprocess.PIPE) as process:
        while control.hanging() == 0:
            assert process.poll() is None
        process.kill()
    assert mt5.initialize(path), "the successor is served while the call still hangs"
    try:
        assert mt5.positions_get() == () and mt5.history_orders_get(0, 2_000_000_000) == ()
        control.release()
        deadline = time.monotonic() + 20.0
        while not mt5.positions_total() and time.monotonic() < deadline:
            pass
        assert [p.comment for p in mt5.positions_get() or ()] == ["late"]
    finally:
        mt5.shutdown()


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    """Six ticks of one day, one a minute, from 08:00 UTC."""
    time = (1_704_787_200 + 60 * np.arange(6)) * 1_000_000_000
    bid = 1.1 + np.arange(6) / 100
    Catalog(tmp_path / "quotes").write("EURUSD", [Quotes(time=time, bid=bid, ask=bid + 0.0001)], "test", 1)
    return tmp_path / "quotes"


@contextmanager
def replaying(catalog: Path, *options: str) -> Iterator[tuple[str, RemoteServer]]:
    command = [*MAS, "sim-terminal", "--port", "0", "--data", str(catalog), "--personality", "suffix-lag"]
    command += ["--symbol", "EURUSD", "--from", "2024-01-09", "--to", "2024-01-10", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().split()[0]
        with RemoteServer("127.0.0.1", int(address.rpartition(":")[2])) as control:
            yield address, control
        process.send_signal(signal.SIGTERM)
        assert process.wait(20.0) == 0


def test_quotes_of_the_catalog_are_replayed_by_a_control(catalog: Path):
    with replaying(catalog, "--speed", "0") as (path, control):
        assert mt5.initialize(path) and mt5.symbol_select("EURUSD.m")
        bids = [getattr(mt5.symbol_info_tick("EURUSD.m"), "bid", 0.0) for _ in range(3) if control.advance(60)]
        mt5.shutdown()
    assert bids == [1.11, 1.12, 1.13]


def test_quotes_of_the_catalog_are_replayed_at_a_pace(catalog: Path):
    with replaying(catalog, "--speed", "6000") as (path, _control):  # an hour in 0.6 s
        assert mt5.initialize(path) and mt5.symbol_select("EURUSD.m")
        seen, deadline = [], time.monotonic() + 20.0
        while (not seen or seen[-1] < 1.15) and time.monotonic() < deadline:
            seen.append(getattr(mt5.symbol_info_tick("EURUSD.m"), "bid", 0.0))
        mt5.shutdown()
    assert seen[-1] == 1.15 and seen == sorted(seen)


def test_the_brokers_are_listed_and_wrong_options_are_one_line(tmp_path: Path):
    listed = subprocess.run([*MAS, "sim-terminal", "--list"], capture_output=True, text=True, check=True, timeout=30)
    assert "demo-hedging-market" in listed.stdout and "gateway" in listed.stdout
    wrong = tmp_path / "accounts.toml"
    wrong.write_text("[[accounts]]\nlogin = 5\n")
    past = ["--symbol", "EURUSD", "--data", str(tmp_path), "--from", "2024-01-09"]
    to = [[*past, "--to", f"2024-01-{day}"] for day in ("09", "10")]  # no day, and no quotes
    bad = [past, *to, [*past, "--scripted"], ["--from", "2024-01-09"]]
    for options in (*bad, ["--personality", "nobody"], ["--accounts", str(wrong)], ["--accounts", "missing.toml"]):
        command = [*MAS, "sim-terminal", "--port", "0", *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
        assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
