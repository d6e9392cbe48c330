"""The first thing that a new user runs."""

from __future__ import annotations

import re
import time

from tests.acceptance.mas_command import read_until, run, started

CALLBACKS = re.compile(r"Callbacks in order: (.*?)\n\n", re.DOTALL)


def test_the_demo_shows_orders_callbacks_accounts_and_a_backtest_in_under_ten_seconds() -> None:
    start = time.monotonic()
    done = run("demo")
    seconds = time.monotonic() - start

    assert (done.returncode, done.stderr) == (0, "")
    assert seconds < 10
    for word in ("FILLED", "ACCEPTED", "CANCELED", "REJECTED", "10009", "10014", "balance", "synthetic", "MAS_URL"):
        assert word in done.stdout, word
    assert "mas sim-worker" in done.stdout
    assert re.search(r"buy 0\.1 EURUSD, closes 1000001 +\d+ +FILLED", done.stdout)
    assert re.search(r"cancel_order \d+ +True", done.stdout)
    assert re.search(r"positions +0 +0\n", done.stdout), "the position that was opened is closed again"
    assert re.search(r"^1416 synthetic M5 bars.*: [1-9]\d* trades in ", done.stdout, re.MULTILINE)


def test_the_demo_s_callbacks_come_status_first_and_in_the_order_of_the_calls() -> None:
    found = CALLBACKS.search(run("demo", COLUMNS="200").stdout)

    assert found is not None
    heard = found[1].replace("\n", " ").split(", ")
    assert heard[:3] == ["1000001 FILLED", "1000001 deal", "1000002 ACCEPTED"]
    assert heard[-2] == "1000004 deal"
    assert heard[-1].startswith("Invalid volume: ") and heard[-1].endswith("(retcode 10014) REJECTED")


def test_the_backtest_of_the_demo_is_the_same_at_every_run() -> None:
    def trades(text: str) -> list[str]:
        return [line for line in text.splitlines() if line.startswith("2025-03-")]

    first, second = (trades(run("demo").stdout) for _ in range(2))
    assert len(first) == 6
    assert first == second


def test_the_demo_stays_in_this_process_even_where_a_broker_is_named() -> None:
    done = run("demo", MAS_URL="amqp://user:hunter2@localhost:1/")
    assert done.returncode == 0, done.stderr


def test_the_demo_runs_the_same_over_rabbitmq(rabbit_url: str) -> None:
    with started("sim-worker", "--url", rabbit_url) as worker:
        read_until(worker, "serves")
        done = run("demo", "--url", rabbit_url)

    assert (done.returncode, done.stderr) == (0, "")
    backtest = re.compile(r"^2025-03-.*$", re.MULTILINE)
    assert backtest.findall(done.stdout) == backtest.findall(run("demo").stdout)


def test_without_a_worker_the_demo_over_rabbitmq_says_so_in_one_line(rabbit_url: str) -> None:
    done = run("demo", "--url", rabbit_url)

    assert done.returncode == 2
    assert done.stderr.startswith("mas demo: ")
    assert "mas sim-worker" in done.stderr
    assert done.stderr.count("\n") == 1
